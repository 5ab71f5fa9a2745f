"""The child's half of the removal of a whole relationship, an operator's action, and of its return.

Removing: the child's service closes it, which gets the next number; then each owner marks it removed by that number.
Restoring: the child's service tells by which number it is closed last; each owner registers it by that, and refuses
removals up to it from then on; then the child's service opens it, if that is still the last. So while a write can be
committed its relationship is registered, and deletes ask for it; of operators who remove and restore at once, one
finds out that he was overtaken. Each step may be repeated, and whoever dies in the middle leaves it closed.

What deletes did meanwhile is not known to the child. A write that was validated before the removal may still be on its
way after the return, to a parent that went in between. Therefore a relationship that returned is not validated until an
audit says so, begun when the requests of that time are over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kit.clock import Clock
from kit.documents import Entity, Stored
from kit.problems import Unavailable
from kit.references import closures
from kit.references.declaration import SEPARATOR, whole_key
from kit.references.under_way import under_way
from kit.store import DuplicateKey, Store
from kit.store.sessions import Session

AT_ONCE_MAX = 100_000
ROUNDS_MAX = 10


@dataclass(frozen=True, slots=True)
class Wholly:
    """Whether a relationship is closed as a whole, and how often it was."""

    closed: bool
    number: int = 0


class Removal:
    def __init__(self, store: Store, documents: Sequence[type[Stored]], *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._rows = store.rows(closures.NAME)
        self._guarded = {one.collection_name() for one in documents if issubclass(one, Entity) and one.is_guarded}

    async def close(self, relationship: str) -> tuple[int, int]:
        """Closes it, and voids what is under way until a look finds nothing: the closing's number, and how much was
        voided. No write of it is committed any more when this returns. A relationship that this version does not
        declare is closed all the same: another replica may."""
        async with self._store.session() as session:
            number = await self._put(relationship, session)
            child = relationship.partition(".")[0]
            voided = await self._void(child, relationship, session) if child in self._guarded else 0
        return number, voided

    async def look(self, relationship: str) -> Wholly:
        async with self._store.session(fenced=True) as session:
            row = await self._rows.find_one({"_id": whole_key(relationship)}, session=session)
        return Wholly(closed=False) if row is None else Wholly(row["closed"], int(row.get("number", 0)))

    async def open(self, relationship: str, number: int) -> bool:
        """Whether it is open now: not if it was closed again since that number."""
        closed = {"_id": whole_key(relationship), "closed": True, "number": number}
        opened = {"$set": {"closed": False, "at": self._clock.now()}}
        return await self._rows.update_one(closed, opened) or not (await self.look(relationship)).closed

    async def _put(self, relationship: str, session: Session | None) -> int:
        """The number of this closing, which no other has."""
        key = whole_key(relationship)
        closed = {"$set": {"closed": True, "at": self._clock.now()}, "$inc": {"number": 1}}
        row = await self._rows.find_one_and_update({"_id": key}, closed, session=session)
        if row is not None:
            return int(row["number"])
        first = {"_id": key, "closed": True, "epoch": 0, "at": self._clock.now(), "number": 1}
        try:
            await self._rows.insert(first, session=session)
        except DuplicateKey:
            return await self._put(relationship, session)  # it is there now, and closures never go
        return 1

    async def _void(self, child: str, relationship: str, session: Session | None) -> int:
        """Creates are removed, the slots of changes unset, by their tokens; whoever wrote them finds out by these."""
        rows, voided = self._store.rows(child), 0
        for _ in range(ROUNDS_MAX):
            found = await under_way(rows, prefix=relationship + SEPARATOR, limit=AT_ONCE_MAX, session=session)
            if not found:
                return voided
            for one in found:
                voided += await one.undo(rows, session=session)
        raise Unavailable(f"Intents of {relationship} come faster than they are voided; try again.")
