"""Brings one movement from any state to its end: hold, decide, settle, what follows from it, and its marks away."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from kit.problems import Unavailable
from staking.domain.ledger import Movement, Place, Refusal, State, Why
from staking.domain.ledger_accounts import Job, Outcome, Settled, Task, Waits
from staking.domain.ledger_drive import (
    clean_places,
    first_broken,
    hold_rounds,
    judge_holds,
    settle_places,
    victim_of_circle,
)
from staking.domain.ledger_kinds import KindRules
from staking.operations.ledger.entries import Entries
from staking.operations.ledger.kinds import EffectCall, EffectHandler
from staking.operations.ledger.movements import Movements
from staking.operations.ledger.records import Standing
from staking.operations.ledger.visits import Step, Visits

TURNS_MAX = 100
WAITS_MAX = 500
WAITS_BEFORE_INSISTING = 10
HELP_AFTER_S = 0.25
HELPED_PAUSE_S = 0.02


class LedgerBrokenError(Exception):
    """A document contradicts a movement that is posted: an operator has to look. Nothing was changed."""


class Driver:
    def __init__(
        self,
        movements: Movements,
        entries: Entries,
        visits: Mapping[str, Visits],
        rules: Mapping[str, KindRules],
        effects: Mapping[str, EffectHandler],
    ) -> None:
        self._movements = movements
        self._entries = entries
        self._visits = visits
        self._rules = rules
        self._effects = effects
        self._in_flight: dict[str, asyncio.Future[None]] = {}
        self._helped: set[str] = set()

    async def drive(self, standing: Standing, waiting: tuple[str, ...] = ()) -> Standing:
        """The movement, decided and carried out; `wind_up` has to follow. `waiting` are the movements that wait for it,
        each for the next."""
        movement_id = standing.movement.id
        if standing.is_open and movement_id not in self._in_flight:
            self._in_flight[movement_id] = asyncio.get_running_loop().create_future()
        try:
            return await self._run(standing, waiting)
        except BaseException:
            self._release(movement_id)
            raise

    async def wind_up(self, standing: Standing) -> None:
        """What nobody has to wait for: the movement is done, and its marks go."""
        movement, posted = standing.movement, bool(standing.posted)
        try:
            if not standing.is_open:
                return
            if not posted:
                await self._movements.finish_refused(movement.id)
                return
            if standing.state is not State.DONE:
                await self._movements.finish(movement.id)
            await self._take(Task.CLEAN, movement, clean_places(self._rules, movement, posted=posted))
            await self._movements.close(movement.id)
        finally:
            self._release(movement.id)

    def _release(self, movement_id: str) -> None:
        over = self._in_flight.pop(movement_id, None)
        if over is not None and not over.done():
            over.set_result(None)

    async def _run(self, standing: Standing, waiting: tuple[str, ...]) -> Standing:
        for _ in range(TURNS_MAX):
            if standing.state is State.DONE:
                return standing
            if standing.state is State.PENDING:
                standing = await self._decide(standing, waiting)
            elif await self._carry_out(standing):
                return standing
            else:
                standing = await self._reload(standing.movement.id)
        raise Unavailable("The movement was not brought to its end; try again.")

    async def _decide(self, standing: Standing, waiting: tuple[str, ...]) -> Standing:
        movement, waits = standing.movement, 0
        for places in hold_rounds(movement):
            while (verdict := judge_holds(await self._take(Task.HOLD, movement, places))) is not None:
                waits += 1
                if isinstance(verdict, Waits) and waits <= WAITS_MAX:
                    chain = (*waiting, movement.id)
                    await self._make_way(verdict.movement_id, chain, places[0], insist=waits > WAITS_BEFORE_INSISTING)
                    continue
                if isinstance(verdict, Waits):
                    verdict = Refusal(Why.CONTENDED, places[0])
                if isinstance(verdict, Refusal):
                    await self._movements.refuse(movement.id, verdict)
                return await self._reload(movement.id)
        state = await self._movements.post(movement.id)
        if state is State.POSTED:
            return replace(standing, state=state, posted=True)
        return await self._reload(movement.id)

    async def _make_way(self, blocker: str, waiting: tuple[str, ...], place: Place, *, insist: bool) -> None:
        """See that the blocker gets on: wait while this process drives it anyway, help it after that, and break a
        circle. One task helps it for all that wait, unless they `insist`: two helpers could be waiting for each
        other."""
        victim = victim_of_circle(waiting, blocker)
        if victim is not None:
            await self._movements.refuse(victim, Refusal(Why.CONTENDED, place))
            return
        over = self._in_flight.get(blocker)
        if over is not None:
            await asyncio.wait([over], timeout=HELP_AFTER_S)
            if over.done():
                return
        if blocker in self._helped and not insist:
            await asyncio.sleep(HELPED_PAUSE_S)
            return
        self._helped.add(blocker)
        try:
            standing = await self._movements.load(blocker)
            if standing is not None:
                await self.wind_up(await self.drive(standing, waiting))
        finally:
            self._helped.discard(blocker)

    async def _carry_out(self, standing: Standing) -> bool:
        """False: somebody else was faster."""
        movement, posted = standing.movement, bool(standing.posted)
        places = settle_places(self._rules, movement, posted=posted)
        outcomes = await self._take(Task.SETTLE, movement, places)
        broken = first_broken(outcomes)
        if broken is not None:
            raise LedgerBrokenError(f"movement {movement.id}: {broken.what}")
        settled = {
            place: outcome for place, outcome in zip(places, outcomes, strict=True) if isinstance(outcome, Settled)
        }
        if len(settled) < len(places):
            return False
        await self._entries.write(movement, ((place, mark) for place, one in settled.items() for mark in one.entries))
        captured = {place: one.captured for place, one in settled.items() if one.captured}
        for effect in movement.effects:
            await self._effects[effect.name](EffectCall(movement, posted, effect.data, captured))
        return True

    async def _take(self, task: Task, movement: Movement, places: Iterable[Place]) -> list[Outcome]:
        job = Job(task, movement)
        return await asyncio.gather(*(self._visits[place.kind].take(Step(place, job)) for place in places))

    async def _reload(self, movement_id: str) -> Standing:
        standing = await self._movements.load(movement_id)
        if standing is None:
            raise Unavailable("The movement is not there yet; try again.")
        return standing
