"""Removes the parts of aggregates that are gone. A part is written after a conditional write to its aggregate, so one
may still come when the aggregate is gone already: they are looked for again and again until none is left."""

from collections.abc import Sequence
from datetime import datetime

from kit.clock import Clock
from kit.documents import Part, Record, Stored
from kit.references.declaration import SEPARATOR
from kit.store import Store
from kit.store.hidden import INTENT, is_create_intent
from kit.store.rows import Row
from kit.store.sessions import Session

NAME = "reference_removed_aggregates"
PAGE = 500
PAGES_MAX = 20
SEEN_TWICE_AFTER_S = 60.0
"""Longer than any request runs, so that nobody who wrote to the aggregate while it was there still has a part to
write."""
SWEEP_INTERVAL_S = 20.0


class RemovedAggregate(Record):
    """`id` is "<entity>|<id>". It is written before the aggregate is removed, and goes when no part came any more."""

    at: datetime

    class Settings:
        name = NAME


class Parts:
    def __init__(self, store: Store, documents: Sequence[type[Stored]], *, clock: Clock) -> None:
        self._store = store
        self._rows = store.rows(NAME)
        self._clock = clock
        self._of: dict[str, list[tuple[str, str]]] = {}
        for one in documents:
            if issubclass(one, Part):
                self._of.setdefault(one.part_of.entity, []).append((one.collection_name(), one.part_of.field))
        self._seen: dict[str, float] = {}

    async def announce(self, entity: str, ids: Sequence[str]) -> None:
        """These are about to be removed."""
        if entity not in self._of or not ids:
            return
        rows: list[Row] = [{"_id": f"{entity}{SEPARATOR}{one}", "at": self._clock.now()} for one in ids]
        await self._rows.insert_many(rows)  # one that is known already is as good

    async def remove(self, entity: str, ids: Sequence[str]) -> int:
        """The parts of those of them that are gone: one may be there still, or again. At most PAGES_MAX pages; what is
        left the sweep finds. How many were removed."""
        removed = 0
        for collection, field in self._of.get(entity, ()):
            left = set(ids)
            for _ in range(PAGES_MAX):
                page, there = await self._page(entity, collection, field, left)
                doomed = [row["_id"] for row in page if row[field] not in there]
                if doomed:
                    removed += await self._store.rows(collection).delete_many({"_id": {"$in": doomed}})
                left -= there
                if len(page) < PAGE or not left:
                    break
        return removed

    async def sweep(self) -> None:
        """One look at what was announced. An announcement goes if this process saw the aggregate gone, saw it gone
        again a minute later on its own monotonic clock, and no part is left."""
        now = self._clock.monotonic()
        still: dict[str, float] = {}
        after = ""
        for _ in range(PAGES_MAX):
            page = await self._rows.find({"_id": {"$gt": after}}, sort=[("_id", 1)], limit=PAGE)
            for entity, ids in _by_entity(page).items():
                await self._look_at(entity, ids, now, still)
            if len(page) < PAGE:
                break
            after = page[-1]["_id"]
        self._seen = still

    async def _look_at(self, entity: str, ids: Sequence[str], now: float, still: dict[str, float]) -> None:
        async with self._store.session(fenced=True) as session:
            there = await self._there(entity, ids, session)
        gone = [one for one in ids if one not in there]
        removed = await self.remove(entity, gone) if gone else 0
        ended: list[str] = []
        for one in gone:
            key = f"{entity}{SEPARATOR}{one}"
            first = self._seen.get(key, now)
            if not removed and now - first >= SEEN_TWICE_AFTER_S:
                ended.append(key)
            else:
                still[key] = first
        if ended:
            await self._rows.delete_many({"_id": {"$in": ended}})

    async def _page(self, entity: str, collection: str, field: str, ids: set[str]) -> tuple[list[Row], set[str]]:
        """Parts, and which of their aggregates were there after them: a part of one that was not is of an earlier
        life."""
        where = {field: {"$in": sorted(ids)}}
        async with self._store.session(fenced=True) as session:
            page = await self._store.rows(collection).find(where, fields=[field], limit=PAGE, session=session)
            return page, await self._there(entity, sorted({row[field] for row in page}), session)

    async def _there(self, entity: str, ids: Sequence[str], session: Session | None) -> set[str]:
        """Those that are documents. An intent has no parts yet."""
        if not ids:
            return set()
        where = {"_id": {"$in": list(ids)}}
        rows = await self._store.rows(entity).find(where, fields=[INTENT], limit=len(ids), session=session)
        return {row["_id"] for row in rows if not is_create_intent(row)}


def _by_entity(page: Sequence[Row]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in page:
        entity, _, one = row["_id"].partition(SEPARATOR)
        found.setdefault(entity, []).append(one)
    return found
