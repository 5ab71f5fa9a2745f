"""Creates of one entity: write the intent, look the closures up, commit. Concurrent ones share each step.

A create that meets nothing unusual passes the lanes here; anything else is taken off them by `CreateRecovery`.
"""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kit.batching import Lane
from kit.clock import Clock
from kit.ids import new_id
from kit.references.closures import Closed, Closures
from kit.references.create_recovery import CreateRecovery
from kit.references.declaration import own_key
from kit.references.owner import Question
from kit.references.plans import EntityPlan
from kit.references.tasks import Tasks
from kit.references.works import Judge, Work
from kit.store import Store, StoreUnavailable
from kit.store.hidden import CREATE, INTENT, INTENT_KIND, TOKEN, is_create_intent
from kit.store.rows import Filter
from kit.store.sessions import Session, latest_of

BATCH_MAX = 100
COMMIT: Mapping[str, Any] = {"$unset": {INTENT: ""}}


class Create(Work):
    """`base` is the document's row without kit's fields. The intent names the document's own id beside references."""

    def __init__(
        self,
        creator: "Creator",
        base: dict[str, Any],
        keys: Sequence[str],
        *,
        epochs: dict[str, int],
        local: Mapping[str, Question],
    ) -> None:
        own = own_key(creator.plan.name, base["_id"])
        super().__init__(creator, base["_id"], [*keys, own], epochs=epochs, local=local)
        self.base = base

    def send(self, token: str, now: datetime) -> dict[str, Any]:
        """The row of a new sending. It is never changed again: the driver may still be at it when nobody waits for its
        answer any more."""
        self.sent_as(token)
        intent = {"kind": CREATE, "token": token, "refs": list(self.keys), "at": now}
        return {**self.base, INTENT: intent, TOKEN: token}


class Creator:
    def __init__(
        self, plan: EntityPlan, store: Store, closures: Closures, judge: Judge, *, clock: Clock, tasks: Tasks
    ) -> None:
        self.plan = plan
        self.tasks = tasks
        self._store = store
        self._rows = store.rows(plan.name)
        self._closures = closures
        self._clock = clock
        self._recovery = CreateRecovery(self, store, closures, judge)
        self._inserts: Lane[Create] = Lane(self._insert, failed=Work.failed, gone=Work.left, size_max=BATCH_MAX)
        self._commits: Lane[Create] = Lane(self._commit, failed=Work.failed, size_max=BATCH_MAX)

    def start(self, work: Create) -> None:
        self._inserts.put(work)

    def commit(self, work: Create) -> None:
        self._commits.put(work)

    def barred(self, work: Create, closures: list[Closed]) -> Awaitable[None]:
        return self._recovery.barred(work, closures)

    def abandon(self, work: Create, error: Exception) -> Awaitable[None]:
        return self._recovery.abandon(work, error)

    async def _insert(self, waiting: list[Create]) -> None:
        batch = self._of_distinct_ids(waiting)
        token, now = new_id(), self._clock.now()
        rows = [work.send(token, now) for work in batch]
        try:
            async with self._store.session() as session:
                duplicates = await self._rows.insert_many(rows, session=session)
                moment = session.moment if session else None
        except StoreUnavailable as error:
            self._lose(batch, error)
            return
        except Exception:
            if len(batch) == 1:
                raise
            await self._insert_singly(batch)
            return
        for position, work in enumerate(batch):
            work.moment = moment
            if position in duplicates:
                work.off_lanes(self._recovery.collided(work))
            else:
                self._closures.look(work)

    def _of_distinct_ids(self, waiting: Sequence[Create]) -> list[Create]:
        """The sendings of a batch share one token: (`_id`, token) tells them apart only if no two have the same id."""
        batch: dict[str, Create] = {}
        for work in waiting:
            if batch.setdefault(work.id, work) is not work:
                self._inserts.put(work)
        return list(batch.values())

    def _lose(self, batch: Sequence[Create], error: StoreUnavailable) -> None:
        for work in batch:
            if error.sent:
                work.lost.add(work.token)
                work.off_lanes(self._recovery.read_again(work))
            else:
                work.refuse(error)

    async def _insert_singly(self, batch: Sequence[Create]) -> None:
        """The driver refused a batch for one row that it can't write: the others must not suffer for it."""
        for work in batch:
            work.lost.add(work.token)
            try:
                await self._insert([work])
            except Exception as error:  # noqa: BLE001 (of this row alone)
                work.lost.clear()
                work.refuse(error)

    async def _commit(self, batch: list[Create]) -> None:
        committed: set[tuple[str, str]] | None = None
        try:
            async with self._store.session(latest_of(work.moment for work in batch)) as session:
                matched = await self._rows.update_in_groups(_commits(batch), session=session)
                if matched < len(batch):
                    committed = await self._committed(batch, session)
        except StoreUnavailable:
            committed = set()
        for work in batch:
            if committed is None or (work.id, work.token) in committed:
                work.succeed()
            else:
                work.off_lanes(self._recovery.read_again(work))

    async def _committed(self, batch: Sequence[Create], session: Session | None) -> set[tuple[str, str]]:
        """Which of a batch are documents, as fewer matched: somebody committed, voided or reaped the others."""
        where = {"_id": {"$in": [work.id for work in batch]}}
        rows = await self._rows.find(where, fields=[TOKEN, INTENT_KIND], limit=len(batch), session=session)
        return {(row["_id"], row.get(TOKEN, "")) for row in rows if not is_create_intent(row)}


def _commits(batch: Sequence[Create]) -> list[tuple[Filter, Filter]]:
    """One update for each token, mostly one in all: not every store finds a row quickly by a list of tokens."""
    ids: dict[str, list[str]] = {}
    for work in batch:
        ids.setdefault(work.token, []).append(work.id)
    return [({"_id": {"$in": group}, TOKEN: token, INTENT_KIND: CREATE}, COMMIT) for token, group in ids.items()]
