"""Reading whole collections in pages, by key."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from kit.store import Collection

PAGE = 500
Row = dict[str, Any]


async def pages(
    collection: Collection[Any], where: Mapping[str, Any], fields: Sequence[str]
) -> AsyncIterator[list[Row]]:
    """Every document once, PAGE at a time, projected. What is inserted meanwhile may be seen or not."""
    last: str | None = None
    while True:
        beyond = {} if last is None else {"_id": {"$gt": last}}
        page = await collection.rows({"$and": [where, beyond]}, fields=fields, sort=[("_id", 1)], limit=PAGE)
        if page:
            yield page
        if len(page) < PAGE:
            return
        last = page[-1]["_id"]


async def rows_by_id(collection: Collection[Any], ids: Sequence[str], fields: Sequence[str]) -> dict[str, Row]:
    """At most PAGE ids at a time."""
    found: dict[str, Row] = {}
    for start in range(0, len(ids), PAGE):
        part = list(ids[start : start + PAGE])
        found |= {
            row["_id"]: row for row in await collection.rows({"_id": {"$in": part}}, fields=fields, limit=len(part))
        }
    return found
