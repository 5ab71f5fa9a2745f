"""The ledger's steps at documents, in the store. Steps that meet at one document are one update, and those at
several documents of one kind are one round trip: read the documents, then the movements, then update on the
versions that were read."""

import asyncio
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.batching import Batcher
from kit.clock import Clock
from kit.problems import Unavailable
from kit.references.slots import NOT_IN_DELETION, is_in_deletion
from kit.store import Store, StoreContended
from kit.store.hidden import PARENT_STATE
from staking.documents.movement import MovementRecord
from staking.domain.ledger import Place, State
from staking.domain.ledger_accounts import Job, Outcome, Visit, visit
from staking.domain.ledger_marks import Snapshot, changes, snapshot_of
from staking.operations.ledger.kinds import AccountKind

TRIES_MAX = 40
PAUSE_MAX_S = 0.05
JOBS_MAX = 512


@dataclass(frozen=True, slots=True)
class Step:
    place: Place
    job: Job


class Visits:
    """The documents of one kind."""

    def __init__(self, store: Store, clock: Clock, kind: AccountKind) -> None:
        self._store = store
        self._clock = clock
        self._rules = kind.rules
        self._documents = store.collection(kind.document)
        self._movements = store.collection(MovementRecord)
        self._has_updated_at = "updated_at" in kind.document.model_fields
        amounts = tuple(amount.name for amount in kind.rules.amounts)
        counted = ("entryCount",) if kind.rules.entries else ()
        self._is_deletable = kind.is_deletable
        hidden = (PARENT_STATE,) if kind.is_deletable else ()
        self._fields = ("version", "marks", *amounts, *counted, *kind.rules.reads, *hidden)
        self._steps: Batcher[Step, Outcome] = Batcher(self._take_all, size_max=JOBS_MAX)

    async def take(self, step: Step) -> Outcome:
        """Raises Unavailable if others changed the document TRIES_MAX times in between, or the store failed: what
        was done then is found by the next try."""
        return await self._steps.submit(step)

    async def _take_all(self, steps: Sequence[Step]) -> list[Outcome | BaseException]:
        outcomes: dict[int, Outcome | BaseException] = {}
        left = dict(enumerate(steps))
        for attempt in range(TRIES_MAX):
            outcomes |= await self._try(left)
            left = {index: step for index, step in left.items() if index not in outcomes}
            if not left:
                return [outcomes[index] for index in range(len(steps))]
            await asyncio.sleep(random.uniform(0, PAUSE_MAX_S) * attempt / TRIES_MAX)  # noqa: S311 (spreads tries, no secret)
        contended = Unavailable("The account is changed by too many others; try again.")
        return [outcomes.get(index, contended) for index in range(len(steps))]

    async def _try(self, steps: Mapping[int, Step]) -> dict[int, Outcome | BaseException]:
        """The outcomes that are certain; what may have lost against another update has none. Doing a step again after
        it took effect is harmless: its mark, its watermark or the movement's state tells."""
        by_place: dict[Place, list[int]] = {}
        for index, step in steps.items():
            by_place.setdefault(step.place, []).append(index)
        snapshots, states = await self._read(by_place.keys(), {step.job.movement.id for step in steps.values()})
        outcomes: dict[int, Outcome | BaseException] = {}
        unsure: set[int] = set()
        updates: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for place, at_place in sorted(
            by_place.items()
        ):  # in one order, lest the batches of two processes lock each other out
            known = [index for index in at_place if steps[index].job.movement.id in states]
            outcomes |= {index: _not_there() for index in at_place if index not in known}
            before = snapshots.get(place)
            jobs = [steps[index].job for index in known]
            seen = visit(self._rules, place, before, jobs=jobs, states=states, now=self._clock.now())
            outcomes |= zip(known, seen.outcomes, strict=True)
            if seen.touched and before is not None:
                updates.append(self._update(before, seen))
                unsure.update(known)
        return outcomes if await self._apply(updates) else _without(outcomes, unsure)

    async def _read(
        self, places: Collection[Place], movement_ids: Collection[str]
    ) -> tuple[dict[Place, Snapshot], dict[str, State]]:
        """The documents first, the movements second and causally after."""
        async with self._store.session() as session:
            rows = await self._documents.rows(
                {"_id": {"$in": sorted(place.id for place in places)}},
                fields=self._fields,
                limit=len(places),
                session=session,
            )
            found = await self._movements.rows(
                {"_id": {"$in": sorted(movement_ids)}}, fields=["state"], limit=len(movement_ids), session=session
            )
        snapshots = [snapshot_of(self._rules, row, is_going=is_in_deletion(row)) for row in rows]
        return {one.place: one for one in snapshots}, {row["_id"]: State(row["state"]) for row in found}

    def _update(self, before: Snapshot, seen: Visit) -> tuple[dict[str, Any], dict[str, Any]]:
        changed = {} if seen.after is None else changes(self._rules, before, seen.after)
        if self._has_updated_at:
            changed["updatedAt"] = self._clock.now()
        update: dict[str, Any] = {"$inc": {"version": 1}}
        if changed:
            update["$set"] = changed
        where: dict[str, Any] = {"_id": before.place.id, "version": before.version}
        if self._is_deletable and not before.is_going:
            where |= NOT_IN_DELETION  # the mark of a deletion leaves the version as it is
        return where, update

    async def _apply(self, updates: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> bool:
        """Whether every update took effect."""
        if not updates:
            return True
        try:
            if len(updates) == 1:
                return await self._documents.update(*updates[0])
            return await self._documents.bulk_update(updates) == len(updates)
        except StoreContended:
            return False


def _without(outcomes: dict[int, Any], unsure: set[int]) -> dict[int, Any]:
    return {index: outcome for index, outcome in outcomes.items() if index not in unsure}


def _not_there() -> Unavailable:
    return Unavailable("The movement is not there yet; try again.")
