"""What becomes of a create that met a closure, a taken value, or an answer that was lost. One task per such create."""

import asyncio
from typing import TYPE_CHECKING

from kit.problems import Unavailable
from kit.references.closures import Closures
from kit.references.recovery import Recovery
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
from kit.store.collisions import Collision, find_collision, still_taken
from kit.store.hidden import CREATE, INTENT, INTENT_KIND, TOKEN, is_create_intent
from kit.store.rows import Row, Rows
from kit.store.sessions import Session

if TYPE_CHECKING:
    from kit.references.creating import Create, Creator


class CreateRecovery(Recovery["Create"]):
    def __init__(self, creator: "Creator", store: Store, closures: Closures, judge: Judge) -> None:
        super().__init__(creator, judge)
        self._creator = creator
        self._store = store
        self._rows = store.rows(creator.plan.name)
        self._closures = closures

    async def collided(self, work: "Create") -> None:
        """A duplicate key: against a document it is the answer, against an intent not yet."""
        until = asyncio.get_running_loop().time() + HELP_S
        while not work.left():
            collision = await self._collision(work)
            if collision is None:
                await self._send_again(work)
                return
            if collision.other["_id"] == work.id and collision.other.get(TOKEN) in {*work.lost, work.token}:
                await self._meet_own(work, collision.other)
                return
            if not is_create_intent(collision.other):
                if work.sendings > 1 and _is_same(collision.other, work.base):
                    work.succeed()
                    return
                work.refuse(DuplicateKey(collision.fields, collection=self._creator.plan.name))
                return
            if asyncio.get_running_loop().time() >= until:
                work.refuse(still_taken(collision.fields))
                return
            if not await finish_create(self._rows, self._closures, collision.other):
                await asyncio.sleep(HELP_PAUSE_S)

    async def _collision(self, work: "Create") -> Collision | None:
        async with self._store.session(work.moment) as session:
            return await find_collision(
                self._rows, self._creator.plan.document_type, work.base, stored=False, session=session
            )

    async def _is_done(self, work: "Create") -> bool:
        """Whether this sending became a document, by now perhaps with the token of a later change. If not, nothing is
        left of it now, but for an insert that is lost."""
        for _ in range(READS_MAX):
            async with self._store.session(work.moment) as session:
                removed = await remove_intent(self._rows, work.id, work.token, session=session)
                row = None if removed else await self._row(work, session)
            if removed:
                work.lost.discard(work.token)
            if row is None:
                return False
            if row.get(TOKEN) != work.token:
                return not is_create_intent(row) and _is_same(row, work.base)
            work.lost.discard(work.token)
            if not is_create_intent(row):
                return True
        raise Unavailable("The write could not be settled; try again.")

    async def _row(self, work: "Create", session: Session | None) -> Row | None:
        fields = [TOKEN, INTENT_KIND, "version", "createdAt"]
        return await self._rows.find_one({"_id": work.id}, fields=fields, session=session)

    async def _own_row(self, work: "Create", token: str, session: Session | None) -> Row | None:
        return await self._rows.find_one({"_id": work.id, TOKEN: token}, fields=[TOKEN, INTENT_KIND], session=session)

    async def _send_again(self, work: "Create") -> None:
        """Nothing is left of the last sending that could be seen: it was voided, reaped, or has not arrived."""
        if work.left():
            return
        binding = await self._judge.now(work)
        if binding:
            work.refuse(closed_problem(binding))
        elif work.sendings >= SENDINGS_MAX:
            work.refuse(uncertain())
        else:
            self._creator.start(work)

    async def _meet_own(self, work: "Create", other: Row) -> None:
        """An insert of this very request whose answer was lost has arrived after all."""
        token = other[TOKEN]
        async with self._store.session(work.moment) as session:
            removed = await remove_intent(self._rows, work.id, token, session=session)
            row = None if removed else await self._own_row(work, token, session)
        work.lost.discard(token)
        if row is not None and not is_create_intent(row):
            work.succeed()
        else:
            await self._send_again(work)


def _is_same(other: Row, base: Row) -> bool:
    """Whether it is the document of an earlier sending: a helper committed it, and a change has replaced its token."""
    was_changed = other.get("version", 0) > base["version"]
    return bool(was_changed and other["_id"] == base["_id"] and other.get("createdAt") == base["createdAt"])


async def finish_create(rows: Rows, closures: Closures, other: Row) -> bool:
    """Brings somebody else's intent to its end by its own token: commits it, or removes it if it is closed. Whether it
    was this call that did."""
    intent = other[INTENT]
    if await closures.closed(intent["refs"]):
        return await remove_intent(rows, other["_id"], intent["token"])
    return await rows.update_one(
        {"_id": other["_id"], TOKEN: intent["token"], INTENT_KIND: CREATE}, {"$unset": {INTENT: ""}}
    )


async def remove_intent(rows: Rows, document_id: str, token: str, *, session: Session | None = None) -> bool:
    """By (`_id`, token), and only the intent of a create."""
    return await rows.delete_one({"_id": document_id, TOKEN: token, INTENT_KIND: CREATE}, session=session)
