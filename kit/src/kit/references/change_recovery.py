"""What becomes of a change whose slot could not be written, was barred, or whose answer was lost."""

import asyncio
from typing import TYPE_CHECKING

from kit.problems import NotFound, Unavailable
from kit.references.closures import Closures
from kit.references.create_recovery import finish_create
from kit.references.recovery import Recovery
from kit.references.slots import Slot, clear_slot, commit_of, is_in_deletion, slot_of
from kit.references.works import (
    HELP_PAUSE_S,
    HELP_S,
    READS_MAX,
    SENDINGS_MAX,
    Judge,
    closed_problem,
    uncertain,
)
from kit.store import DuplicateKey, Store
from kit.store.collisions import find_collision, still_taken
from kit.store.hidden import INTENT, TOKEN, is_create_intent
from kit.store.rows import Row

if TYPE_CHECKING:
    from kit.references.changing import Change, Changer

COLLISIONS_MAX = 4
MOVED = object()
"""The result of a change whose document is not at its version any more."""


class ChangeRecovery(Recovery["Change"]):
    def __init__(self, changer: "Changer", store: Store, closures: Closures, judge: Judge) -> None:
        super().__init__(changer, judge)
        self._changer = changer
        self._store = store
        self._rows = store.rows(changer.plan.name)
        self._closures = closures

    async def unwritten(self, work: "Change") -> None:
        """The slot was not written: the document moved on, is in deletion, or holds the slot of another change."""
        until = asyncio.get_running_loop().time() + HELP_S
        while not work.left():
            row = await self._read(work)
            if row is None or is_create_intent(row) or row.get("version") != work.version:
                self._moved(work, row)
                return
            if is_in_deletion(row):
                work.refuse(in_deletion(row))
                return
            slot = slot_of(row)
            if slot is None:
                await self._again_if_meant(work)
                return
            if asyncio.get_running_loop().time() >= until:
                work.refuse(Unavailable("Another change of the document has not ended yet; try again."))
                return
            await self._help(slot)

    async def collided(self, work: "Change") -> None:
        """The commit broke a unique index: against a document that is the answer, against an intent not yet. Where no
        rival is left it is committed again, after COLLISIONS_MAX refused: the store may have a unique index that is
        not declared."""
        until = asyncio.get_running_loop().time() + HELP_S
        after = work.patch.applied(work.before)
        work.collisions += 1
        refusal: Exception = DuplicateKey(collection=self._changer.plan.name)
        while not work.left():
            collision = await find_collision(self._rows, self._changer.plan.document_type, after, stored=True)
            if collision is None:
                if work.collisions > COLLISIONS_MAX:
                    break
                await asyncio.sleep(HELP_PAUSE_S)
                self._changer.commit(work)
                return
            if not is_create_intent(collision.other):
                refusal = DuplicateKey(collision.fields, collection=self._changer.plan.name)
                break
            refusal = still_taken(collision.fields)
            if asyncio.get_running_loop().time() >= until:
                break
            if not await finish_create(self._rows, self._closures, collision.other):
                await asyncio.sleep(HELP_PAUSE_S)
        await self.abandon(work, refusal)

    async def _is_done(self, work: "Change") -> bool:
        """Whether this sending took effect. If not, its slot is gone now, unless its writing is lost. Raises
        Unavailable if that can't be told any more."""
        for _ in range(READS_MAX):
            async with self._store.session(work.moment) as session:
                cleared = await clear_slot(self._rows, work.id, work.token, session=session)
                row = None
                if not cleared:
                    fields = [TOKEN, INTENT, "version"]
                    row = await self._rows.find_one({"_id": work.id}, fields=fields, session=session)
            if cleared:
                work.lost.discard(work.token)
            if row is None:
                return False
            if row.get(TOKEN) == work.token:
                work.lost.discard(work.token)
                return True
            slot = slot_of(row)
            if slot is None or slot.token != work.token:
                if _is_overtaken(work, row):
                    raise uncertain()
                return False
        raise Unavailable("The change could not be settled; try again.")

    async def _send_again(self, work: "Change") -> None:
        if work.left():
            return
        row = await self._read(work)
        if row is None or row.get("version") != work.version:
            self._moved(work, row)
        elif is_in_deletion(row):
            work.refuse(in_deletion(row))
        else:
            await self._resend(work)

    async def _resend(self, work: "Change") -> None:
        binding = await self._judge.now(work)
        if binding:
            work.refuse(closed_problem(binding))
        elif work.sendings >= SENDINGS_MAX:
            work.refuse(uncertain())
        else:
            self._changer.start(work)

    async def _again_if_meant(self, work: "Change") -> None:
        """The document is at the version and free: it doesn't meet `where`, or the slot of another has just ended."""
        where = {"$and": [{"_id": work.id, "version": work.version}, work.patch.where]} if work.patch.where else None
        if where is not None and await self._rows.find_one(where, fields=["_id"]) is None:
            self._moved(work, None)
        else:
            await self._resend(work)

    def _moved(self, work: "Change", row: Row | None) -> None:
        overtaken = row is not None and work.was_committed and _is_overtaken(work, row)
        if work.lost or overtaken:
            work.refuse(uncertain())
        else:
            work.succeed(MOVED)

    async def _read(self, work: "Change") -> Row | None:
        async with self._store.session(work.moment) as session:
            return await self._rows.find_one({"_id": work.id}, session=session)

    async def _help(self, slot: Slot) -> None:
        """Brings another change's slot to its end: commits it, or clears it if it is closed or was overtaken."""
        if await self._closures.closed(slot.refs):
            helped = await clear_slot(self._rows, slot.document_id, slot.token)
        else:
            helped = await self._commit_other(slot)
        if not helped:
            await asyncio.sleep(HELP_PAUSE_S)

    async def _commit_other(self, slot: Slot) -> bool:
        try:
            if await self._rows.update_one(*commit_of(slot)):
                return True
        except DuplicateKey:
            pass
        return await clear_slot(self._rows, slot.document_id, slot.token)


def _is_overtaken(work: "Change", row: Row) -> bool:
    """A slot that was committed, by a helper perhaps, and then by another change over it, has left no trace to read."""
    return bool(row.get("version", 0) > work.version + 1)


def in_deletion(row: Row) -> NotFound | Unavailable:
    """A purge is final; a deletion that is undecided may yet be refused."""
    if row["_parent"]["state"] == "purging":
        return NotFound("It is being deleted.")
    return Unavailable("A deletion of it is under way; try again.")
