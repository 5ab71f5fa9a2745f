"""Movements in the store. Concurrent drivers share their writes."""

import asyncio
import random
from collections.abc import Collection, Sequence
from datetime import datetime

from kit.batching import Batcher
from kit.clock import Clock
from kit.problems import Unavailable
from kit.store import Store, StoreContended
from staking.documents.movement import LedgerSweep, MovementRecord
from staking.domain.ledger import Movement, Place, Refusal, State
from staking.operations.ledger.records import Standing, new_record, refusal_form, standing_of

OPEN_PAGE_MAX = 500
TRIES_MAX = 5
PAUSE_MAX_S = 0.05
SWEEP_ID = "ledger"


class Movements:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._records = store.collection(MovementRecord)
        self._sweeps = store.collection(LedgerSweep)
        self._clock = clock
        self._inserts: Batcher[Movement, Standing] = Batcher(self._insert_all)
        self._posts: Batcher[str, State] = Batcher(self._post_all)
        self._dones: Batcher[str, None] = Batcher(self._finish_all)
        self._closes: Batcher[str, None] = Batcher(self._close_all)

    async def write(self, movement: Movement) -> Standing:
        """Write it, pending. One that exists under the id is returned as it stands, whatever its legs."""
        return await self._inserts.submit(movement)

    async def load(self, movement_id: str) -> Standing | None:
        record = await self._records.get(movement_id)
        return None if record is None else standing_of(record)

    async def post(self, movement_id: str) -> State:
        """pending → posted, if it still is pending; what it is now."""
        return await self._posts.submit(movement_id)

    async def refuse(self, movement_id: str, refusal: Refusal) -> None:
        """pending → refused, if it still is pending."""
        decision = {
            "state": State.REFUSED.value,
            "posted": False,
            "refusal": refusal_form(refusal),
            "decidedAt": self._now(),
        }
        await self._records.update({"_id": movement_id, "state": State.PENDING.value}, {"$set": decision})

    async def finish(self, movement_id: str) -> None:
        """posted → done."""
        await self._dones.submit(movement_id)

    async def finish_refused(self, movement_id: str) -> None:
        """refused → done, and over, since nothing of it is left."""
        await self._records.update(
            {"_id": movement_id, "state": State.REFUSED.value},
            {"$set": {"state": State.DONE.value, "doneAt": self._now()}, "$unset": {"open": ""}},
        )

    async def close(self, movement_id: str) -> None:
        """A done movement is over: its marks are away."""
        await self._closes.submit(movement_id)

    async def find_open(self, written_before: datetime, *, but: Collection[str], limit: int) -> list[Standing]:
        """The oldest first."""
        where = {"open": True, "writtenAt": {"$lt": written_before}, "_id": {"$nin": sorted(but)}}
        records = await self._records.find(where, sort=[("writtenAt", 1)], limit=limit)
        return [standing_of(record) for record in records]

    async def find_posted_at(self, place: Place) -> list[str]:
        """The ids of movements that are posted but not done, and touch the document."""
        where = {"open": True, "state": State.POSTED.value, "accounts": str(place)}
        return [row["_id"] for row in await self._records.rows(where, fields=["_id"], limit=OPEN_PAGE_MAX)]

    async def note_sweep(self, swept_before: datetime) -> None:
        """For audits: what is older and still open is stuck."""
        where = {"_id": SWEEP_ID, "sweptBefore": {"$lt": swept_before}}
        if not await self._sweeps.update(where, {"$set": {"sweptBefore": swept_before}}):
            await self._sweeps.insert_many([LedgerSweep(id=SWEEP_ID, swept_before=swept_before)])

    def _now(self) -> datetime:
        return self._clock.now()

    async def _insert_all(self, movements: Sequence[Movement]) -> list[Standing | BaseException]:
        first: dict[str, Movement] = {}
        for movement in movements:
            first.setdefault(movement.id, movement)
        now = self._now()
        unique = list(first.values())
        taken = await self._records.insert_many([new_record(movement, now) for movement in unique])
        found = await self._load_all([unique[position].id for position in taken])
        made = {movement.id: Standing(movement, State.PENDING) for movement in unique}
        missing = {unique[position].id for position in taken} - found.keys()
        standings = {**made, **found}
        return [_missing() if movement.id in missing else standings[movement.id] for movement in movements]

    async def _load_all(self, ids: Collection[str]) -> dict[str, Standing]:
        if not ids:
            return {}
        records = await self._records.find({"_id": {"$in": sorted(ids)}}, limit=len(ids))
        return {record.id: standing_of(record) for record in records}

    async def _post_all(self, ids: Sequence[str]) -> list[State | BaseException]:
        decision = {"state": State.POSTED.value, "posted": True, "decidedAt": self._now()}
        decided = await self._update(_in_state(ids, State.PENDING), {"$set": decision})
        if decided == len(set(ids)):
            return [State.POSTED] * len(ids)
        standings = await self._load_all(set(ids))
        return [standings[id_].state if id_ in standings else _missing() for id_ in ids]

    async def _finish_all(self, ids: Sequence[str]) -> list[BaseException | None]:
        done = {"state": State.DONE.value, "doneAt": self._now()}
        await self._update(_in_state(ids, State.POSTED), {"$set": done})
        return [None] * len(ids)

    async def _update(self, where: dict[str, object], update: dict[str, object]) -> int:
        """Two processes that drive the same movements may lock each other out; both do it again."""
        for _ in range(TRIES_MAX - 1):
            try:
                return await self._records.update_many(where, update)
            except StoreContended:
                await asyncio.sleep(random.uniform(0, PAUSE_MAX_S))  # noqa: S311 (spreads tries, no secret)
        return await self._records.update_many(where, update)

    async def _close_all(self, ids: Sequence[str]) -> list[BaseException | None]:
        await self._update(_in_state(ids, State.DONE), {"$unset": {"open": ""}})
        return [None] * len(ids)


def _missing() -> Unavailable:
    return Unavailable("The movement is still being written; try again.")


def _in_state(ids: Sequence[str], state: State) -> dict[str, object]:
    return {"_id": {"$in": sorted(set(ids))}, "state": state.value}
