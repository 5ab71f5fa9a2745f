"""The child's half of a delete before its point of no return: close, void, count. Afterwards: reopen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.clock import Clock
from kit.fault_points import reached
from kit.identity import Caller
from kit.problems import Unavailable
from kit.references import closures
from kit.references.deletes.naming import Naming, Namings, by_child
from kit.references.rules import OwnerField
from kit.store import Store
from kit.store.hidden import CREATE, INTENT, INTENT_KIND, INTENT_REFS
from kit.store.rows import Row, Rows
from kit.store.sessions import Session

CLOSURES_MAX = 2_000
TRIES_MAX = 4
VOIDS_MAX = 1_000
COUNT_MAX = 100_000
IDS_LOOKED_AT_MAX = 200
IDS_MAX = 10


@dataclass(frozen=True, slots=True)
class Closing:
    """One relationship to close for one parent, at the epoch of its delete."""

    naming: Naming
    parent_id: str
    epoch: int

    @property
    def key(self) -> str:
        return self.naming.key(self.parent_id)


@dataclass(frozen=True, slots=True)
class Blocked:
    """`count` is at least COUNT_MAX if it is that; `ids` are some that the caller may see."""

    relationship: str
    count: int
    ids: tuple[str, ...]

    def body(self) -> dict[str, Any]:
        return {"relationship": self.relationship, "count": self.count, "ids": list(self.ids)}


class Closer:
    def __init__(self, store: Store, namings: Namings, *, clock: Clock) -> None:
        self._store = store
        self._namings = namings
        self._clock = clock
        self._rows = store.rows(closures.NAME)

    async def close(self, wanted: Sequence[Closing]) -> list[str]:
        """Closes, and voids every intent that refers to what is closed until a look finds none. The keys that a newer
        delete has closed or an owner has opened since: whoever asked for these is overtaken."""
        async with self._store.session(fenced=True) as session:  # all may be closed already: then nothing is written
            stale = await self._write(wanted, session)
            reached("close:written")
            namings = {one.key: one.naming for one in wanted if one.key not in stale}
            for child, keys in by_child(namings).items():
                await self._void(self._store.rows(child), keys, session)
            reached("close:voided")
        return sorted(stale)

    async def count(self, naming: Naming, parent_id: str, caller: Caller) -> Blocked | None:
        """What blocks a delete of the parent at this moment; None if nothing does."""
        where = naming.blocking(parent_id)
        if where is None:
            return None
        rows = self._store.rows(naming.child)
        async with self._store.session(fenced=True) as session:
            fields = [rule.field for rule in naming.rules.readers if isinstance(rule, OwnerField)]
            some = await rows.find(where, fields=fields, limit=IDS_LOOKED_AT_MAX, session=session)
        if not some:
            return None
        count = len(some) if len(some) < IDS_LOOKED_AT_MAX else await rows.count(where, limit=COUNT_MAX)
        seen = [str(row["_id"]) for row in some if naming.rules.show(caller, row)]  # a row may be of no service's
        return Blocked(naming.relationship, max(count, 1), tuple(sorted(seen)[:IDS_MAX]))

    async def reopen(self, wanted: Sequence[Closing]) -> None:
        """A courtesy after a refusal: the next writer would find out by itself."""
        for one in wanted:
            where = {"_id": one.key, "closed": True, "epoch": {"$lt": one.epoch}}
            await self._rows.update_one(where, {"$set": {"closed": False, "epoch": one.epoch}})

    async def _write(self, wanted: Sequence[Closing], session: Session | None) -> set[str]:
        """Each closed at its epoch, but for the stale ones, which are returned: a newer closure is never
        overwritten."""
        epochs = {one.key: one.epoch for one in wanted}
        for _ in range(TRIES_MAX):
            found = await self._rows.find({"_id": {"$in": list(epochs)}}, limit=len(epochs), session=session)
            known = {row["_id"]: row for row in found}
            stale = {key for key, row in known.items() if _is_stale(row, epochs[key])}
            missing = [key for key in epochs if key not in known]
            older = [key for key, row in known.items() if int(row["epoch"]) < epochs[key]]
            if not missing and not older:
                return stale
            now = self._clock.now()
            if missing:
                rows: list[Row] = [{"_id": key, "epoch": epochs[key], "closed": True, "at": now} for key in missing]
                await self._rows.insert_many(rows, session=session)  # one that is there by now is looked at again
            if older:
                updates = [
                    (
                        {"_id": key, "epoch": {"$lt": epochs[key]}},
                        {"$set": {"epoch": epochs[key], "closed": True, "at": now}},
                    )
                    for key in older
                ]
                await self._rows.bulk_update(updates, session=session)
        raise Unavailable("The closures change too fast; try again.")

    async def _void(self, rows: Rows, keys: Sequence[str], session: Session | None) -> None:
        """Creates are removed, the slots of changes unset; whoever wrote them finds out by their tokens."""
        refers: Mapping[str, Any] = {INTENT_REFS: {"$in": list(keys)}}
        for _ in range(VOIDS_MAX):
            found = await rows.find(refers, fields=[INTENT], limit=CLOSURES_MAX, session=session)
            if not found:
                return
            creates = [row["_id"] for row in found if row[INTENT]["kind"] == CREATE]
            changes = [row["_id"] for row in found if row[INTENT]["kind"] != CREATE]
            if creates:
                where = {"_id": {"$in": creates}, INTENT_KIND: CREATE, **refers}
                await rows.delete_many(where, session=session)
            if changes:
                where = {"_id": {"$in": changes}, INTENT_KIND: {"$nin": [CREATE]}, **refers}
                await rows.update_many(where, {"$unset": {INTENT: ""}}, session=session)
        raise Unavailable("Intents come faster than they are voided; try again.")


def _is_stale(row: Row, epoch: int) -> bool:
    found = int(row["epoch"])
    return found > epoch or (found == epoch and not row["closed"])
