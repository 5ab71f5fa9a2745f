"""Guarded changes of one entity: a slot in the document holds the patch and the version that it was made on; then the
closures are looked up, and the slot is committed. Concurrent changes share each step."""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kit.batching import Lane
from kit.clock import Clock
from kit.ids import new_id
from kit.references.change_recovery import ChangeRecovery
from kit.references.closures import Closed, Closures
from kit.references.owner import Question
from kit.references.plans import EntityPlan
from kit.references.slots import NOT_IN_DELETION, Patch, Slot, commit_of
from kit.references.tasks import Tasks
from kit.references.works import Judge, Work
from kit.store import Store, StoreUnavailable
from kit.store.hidden import INTENT, INTENT_TOKEN, TOKEN
from kit.store.rows import Filter
from kit.store.sessions import latest_of

BATCH_MAX = 100


class Change(Work):
    """`before` is the document's row as the caller read it, `patch` what becomes of it."""

    def __init__(
        self,
        changer: "Changer",
        before: Mapping[str, Any],
        patch: Patch,
        keys: Sequence[str],
        *,
        epochs: dict[str, int],
        local: Mapping[str, Question],
    ) -> None:
        super().__init__(changer, before["_id"], keys, epochs=epochs, local=local)
        self.version = int(before["version"])
        self.before = before
        self.patch = patch
        self.slot: Slot | None = None
        self.was_committed = False  # a commit was sent, whatever came of it
        self.collisions = 0  # commits that broke a unique index

    def send(self, now: datetime) -> tuple[Filter, Filter]:
        """The slot of a new sending."""
        self.sent_as(new_id())
        self.slot = Slot(self.id, self.token, self.version, tuple(self.keys), self.patch, now)
        free = {"_id": self.id, "version": self.version, INTENT: {"$exists": False}, **NOT_IN_DELETION}
        where: Filter = {"$and": [free, self.patch.where]} if self.patch.where else free
        return where, {"$set": {INTENT: self.slot.stored()}}

    def commit(self) -> tuple[Filter, Filter]:
        if self.slot is None:
            raise RuntimeError("a change is committed after its slot was written")
        self.was_committed = True
        return commit_of(self.slot)


class Changer:
    def __init__(
        self, plan: EntityPlan, store: Store, closures: Closures, judge: Judge, *, clock: Clock, tasks: Tasks
    ) -> None:
        self.plan = plan
        self.tasks = tasks
        self._store = store
        self._rows = store.rows(plan.name)
        self._closures = closures
        self._clock = clock
        self._recovery = ChangeRecovery(self, store, closures, judge)
        self._slots: Lane[Change] = Lane(self._write, failed=Work.failed, gone=Work.left, size_max=BATCH_MAX)
        self._commits: Lane[Change] = Lane(self._commit, failed=Work.failed, size_max=BATCH_MAX)

    def start(self, work: Change) -> None:
        self._slots.put(work)

    def commit(self, work: Change) -> None:
        self._commits.put(work)

    def barred(self, work: Change, closures: list[Closed]) -> Awaitable[None]:
        return self._recovery.barred(work, closures)

    def abandon(self, work: Change, error: Exception) -> Awaitable[None]:
        return self._recovery.abandon(work, error)

    async def _write(self, batch: list[Change]) -> None:
        now = self._clock.now()
        writes = [work.send(now) for work in batch]
        written: set[str] | None = None
        try:
            async with self._store.session() as session:
                done = await self._rows.bulk_update(writes, session=session)
                if done.matched < len(batch):
                    written = await self._tokens(batch, INTENT_TOKEN, session)
                moment = session.moment if session else None
        except StoreUnavailable as error:
            self._lose(batch, error)
            return
        for work in batch:
            work.moment = moment
            if written is None or work.token in written:
                self._closures.look(work)
            else:
                work.off_lanes(self._recovery.unwritten(work))

    def _lose(self, batch: Sequence[Change], error: StoreUnavailable) -> None:
        for work in batch:
            if error.sent:
                work.lost.add(work.token)
                work.off_lanes(self._recovery.read_again(work))
            else:
                work.refuse(error)

    async def _commit(self, batch: list[Change]) -> None:
        committed: set[str] | None = None
        duplicates: frozenset[int] = frozenset()
        try:
            async with self._store.session(latest_of(work.moment for work in batch)) as session:
                done = await self._rows.bulk_update([work.commit() for work in batch], session=session)
                duplicates = done.duplicates
                if done.matched < len(batch):
                    committed = await self._tokens(batch, TOKEN, session)
        except StoreUnavailable:
            committed = set()
        for position, work in enumerate(batch):
            if committed is None or work.token in committed:
                work.succeed()
            elif position in duplicates:
                work.off_lanes(self._recovery.collided(work))
            else:
                work.off_lanes(self._recovery.read_again(work))

    async def _tokens(self, batch: Sequence[Change], field: str, session: Any) -> set[str]:
        """The tokens of the batch that `field` holds, since not all of its updates matched."""
        where = {"_id": {"$in": [work.id for work in batch]}, field: {"$in": [work.token for work in batch]}}
        rows = await self._rows.find(where, fields=[field], limit=len(batch), session=session)
        return {row[TOKEN] if field == TOKEN else row[INTENT]["token"] for row in rows}
