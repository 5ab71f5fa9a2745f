"""The child's half of the removal of a whole relationship, an operator's action, and of its return.

Removing: the child's service closes it, each owner marks it removed in its registry, the child's service closes it once
more. Restoring: the child's service tells how it is closed, each owner registers it, the child's service opens it if it
is still closed in that way. So a write is committed only while the relationship is registered, and deletes ask for it;
of an operator who removes and one who restores at once, whoever closes last wins. Each step may be repeated.

What deletes did meanwhile is not known to the child. A write that was validated before the removal may still be on its
way after the return, to a parent that went in between. Therefore a relationship that returned is not validated until an
audit says so, begun when the requests of that time are over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kit.clock import Clock
from kit.documents import Entity, Stored
from kit.ids import new_id
from kit.problems import Unavailable
from kit.references import closures
from kit.references.create_recovery import remove_intent
from kit.references.declaration import SEPARATOR, whole_key
from kit.references.slots import clear_slot
from kit.store import DuplicateKey, Store
from kit.store.hidden import CREATE, INTENT, INTENT_REFS
from kit.store.sessions import Session

PAGE = 500
PAGES_MAX = 20_000
ROUNDS_MAX = 10


@dataclass(frozen=True, slots=True)
class Wholly:
    """How a relationship is closed as a whole: by the closing `token`, or not at all."""

    closed: bool
    token: str | None = None


class Removal:
    def __init__(self, store: Store, documents: Sequence[type[Stored]], *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._rows = store.rows(closures.NAME)
        self._guarded = {one.collection_name() for one in documents if issubclass(one, Entity) and one.references}

    async def close(self, relationship: str) -> int:
        """Closes it, and voids what is under way until a look finds nothing; how much that was. No write of it is
        committed any more when this returns. A relationship that this version does not declare is closed all the
        same: another replica may."""
        async with self._store.session() as session:
            await self._put(relationship, session)
            child = relationship.partition(".")[0]
            return await self._void(child, relationship, session) if child in self._guarded else 0

    async def look(self, relationship: str) -> Wholly:
        async with self._store.session(fenced=True) as session:
            row = await self._rows.find_one({"_id": whole_key(relationship)}, session=session)
        return Wholly(closed=False) if row is None or not row["closed"] else Wholly(True, row.get("token"))

    async def open(self, relationship: str, token: str | None) -> bool:
        """Whether it is open now: not if it was closed by another closing than that of `token`."""
        closed = {"_id": whole_key(relationship), "closed": True, "token": token}
        opened = {"$set": {"closed": False, "at": self._clock.now()}}
        return await self._rows.update_one(closed, opened) or not (await self.look(relationship)).closed

    async def _put(self, relationship: str, session: Session | None) -> None:
        key = whole_key(relationship)
        closed = {"closed": True, "epoch": 0, "at": self._clock.now(), "token": new_id()}
        if await self._rows.update_one({"_id": key}, {"$set": closed}, session=session):
            return
        try:
            await self._rows.insert({"_id": key, **closed}, session=session)
        except DuplicateKey:
            await self._rows.update_one({"_id": key}, {"$set": closed}, session=session)

    async def _void(self, child: str, relationship: str, session: Session | None) -> int:
        """Creates are removed, the slots of changes unset, by their tokens; whoever wrote them finds out by these."""
        voided = 0
        for _ in range(ROUNDS_MAX):
            found = await self._pending(child, relationship, session)
            if not found:
                return voided
            rows = self._store.rows(child)
            for document_id, token, kind in found:
                undo = remove_intent if kind == CREATE else clear_slot
                voided += await undo(rows, document_id, token, session=session)
        raise Unavailable(f"Intents of {relationship} come faster than they are voided; try again.")

    async def _pending(self, child: str, relationship: str, session: Session | None) -> list[tuple[str, str, str]]:
        """The intents that name the relationship: document, token, kind."""
        rows = self._store.rows(child)
        found: list[tuple[str, str, str]] = []
        after = ""
        for _ in range(PAGES_MAX):
            where = {INTENT_REFS: {"$exists": True}, "_id": {"$gt": after}}
            page = await rows.find(where, fields=[INTENT], sort=[("_id", 1)], limit=PAGE, session=session)
            for row in page:
                intent = row[INTENT]
                if any(ref.startswith(relationship + SEPARATOR) for ref in intent["refs"]):
                    found.append((row["_id"], intent["token"], intent["kind"]))
            if len(page) < PAGE:
                return found
            after = page[-1]["_id"]
        raise Unavailable(f"{child} has too many intents to look through; try again.")
