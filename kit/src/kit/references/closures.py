"""Closures: what a delete leaves in a child's database, so that a write that comes after it finds out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from kit.batching import Lane
from kit.documents import Record
from kit.references.declaration import SEPARATOR, own_key
from kit.references.plans import look_keys
from kit.store import Store
from kit.store.rows import Row
from kit.store.sessions import Moment, Session, latest

NAME = "reference_closures"
BATCH_MAX = 200


class ReferenceClosure(Record):
    """`id` is "<relationship>|<parent>|<id>", or "<relationship>|*" for the whole relationship; for a document of this
    service that was deleted "<entity>._id|<entity>|<id>", which is never opened again."""

    epoch: int = 0
    closed: bool
    at: datetime | None = None
    number: int | None = None
    """How often a whole relationship was closed."""

    class Settings:
        name = NAME


@dataclass(frozen=True, slots=True)
class Closed:
    """A closure that was found closed."""

    key: str
    epoch: int

    @property
    def is_whole(self) -> bool:
        return self.key.partition(SEPARATOR)[2] == "*"


class Looking(Protocol):
    """A write between its intent and its commit."""

    look_keys: Sequence[str]
    moment: Moment | None

    def opened(self) -> None: ...

    def barred(self, closures: list[Closed]) -> None: ...

    def failed(self, error: Exception) -> None: ...


class Closures:
    """Look-ups of concurrent writes share one query, whatever they write."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = store.rows(NAME)
        self._looks: Lane[Looking] = Lane(self._look, failed=lambda item, error: item.failed(error), size_max=BATCH_MAX)

    def look(self, item: Looking) -> None:
        """Ends in the item's `opened`, `barred` or `failed`."""
        self._looks.put(item)

    async def closed(self, keys: Sequence[str], *, after: Moment | None = None) -> list[Closed]:
        """The closed ones of `keys` and of their whole relationships, as of `after` or, without it, of now."""
        async with self._store.session(after, fenced=after is None) as session:
            return await self._closed(look_keys(keys), session)

    async def reopen(self, key: str, epoch: int) -> bool:
        """Compare-and-set: only what was closed by an older epoch than the owner's."""
        return await self._rows.update_one(
            {"_id": key, "closed": True, "epoch": {"$lt": epoch}}, {"$set": {"closed": False, "epoch": epoch}}
        )

    async def close_own(self, entity: str, ids: Sequence[str], now: datetime) -> None:
        """These documents are about to be removed for good: nothing may be created under their ids again."""
        rows: list[Row] = [{"_id": own_key(entity, one), "closed": True, "epoch": 0, "at": now} for one in ids]
        if rows:
            await self._rows.insert_many(rows)  # one that is there already is as good

    async def _closed(self, keys: Sequence[str], session: Session | None) -> list[Closed]:
        found = await self._rows.find({"_id": {"$in": list(keys)}, "closed": True}, limit=len(keys), session=session)
        return [Closed(row["_id"], _epoch(row)) for row in found]

    async def _look(self, batch: list[Looking]) -> None:
        keys: dict[str, None] = {}
        after: Moment | None = None
        for item in batch:
            keys.update(dict.fromkeys(item.look_keys))
            after = latest(after, item.moment)
        async with self._store.session(after) as session:
            found = await self._closed(list(keys), session)
        by_key = {closed.key: closed for closed in found}
        for item in batch:
            if not by_key:
                item.opened()
                continue
            mine = [by_key[key] for key in item.look_keys if key in by_key]
            if mine:
                item.barred(mine)
            else:
                item.opened()


def _epoch(row: Mapping[str, Any]) -> int:
    return int(row.get("epoch", 0))
