"""The ledger: makes movements happen as a whole or not at all, whatever crashes, whoever competes."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from kit.clock import Clock
from kit.store import Store
from staking.domain.ledger import MalformedMovementError, Movement, Place, Posted, Refused, check_movement
from staking.operations.ledger.driver import Driver
from staking.operations.ledger.entries import Entries
from staking.operations.ledger.kinds import AccountKind, EffectHandler
from staking.operations.ledger.movements import Movements
from staking.operations.ledger.records import Standing
from staking.operations.ledger.visits import Visits

IN_FLIGHT_MAX = 256
WINDING_UP_MAX = 512
CLOSE_TIMEOUT_S = 3.0
SWEEP_AFTER = timedelta(seconds=5)
SWEEP_PAGE = 200
SWEEP_PAGES_MAX = 50
SWEEP_TOGETHER_MAX = 8

_log = structlog.get_logger("staking.ledger")


class Ledger:
    """One per process. `kinds` are the documents that have accounts, `effects` the handlers by name."""

    def __init__(
        self, store: Store, clock: Clock, *, kinds: Sequence[AccountKind], effects: Mapping[str, EffectHandler]
    ) -> None:
        self.kinds = {kind.rules.name: kind for kind in kinds}
        self._clock = clock
        self._effects = dict(effects)
        self._movements = Movements(store, clock)
        self._driver = Driver(
            self._movements,
            Entries(store),
            {name: Visits(store, clock, kind) for name, kind in self.kinds.items()},
            {name: kind.rules for name, kind in self.kinds.items()},
            self._effects,
        )
        self._room = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._winding_up: set[asyncio.Task[None]] = set()

    async def post(self, movement: Movement) -> Posted | Refused:
        """Make the movement happen as a whole, or not at all. One that exists already under this id is driven on
        instead, and its outcome returned. Raises Unavailable where the store failed: the movement may be posted
        later, and a retry tells. Raises MalformedMovementError for one that breaks the ledger's rules."""
        self._check(movement)
        async with self._room:
            return await self._complete(await self._movements.write(movement))

    async def drive(self, movement_id: str) -> Posted | Refused | None:
        """Bring an existing movement to its end; None if there is none."""
        standing = await self._movements.load(movement_id)
        return None if standing is None else await self._complete(standing)

    async def complete_at(self, place: Place) -> None:
        """Carry out what is decided at a document but was left behind, so that it reads as if nothing had crashed."""
        for movement_id in await self._movements.find_posted_at(place):
            await self.drive(movement_id)

    async def sweep(self, *, older_than: timedelta = SWEEP_AFTER) -> int:
        """Drive on what was left behind by crashes, the oldest first; how many movements were. A failure is logged, and
        tried again by the next sweep."""
        written_before, failed, swept = self._clock.now() - older_than, set[str](), 0
        for _ in range(SWEEP_PAGES_MAX):
            page = await self._movements.find_open(written_before, but=failed, limit=SWEEP_PAGE)
            together = asyncio.Semaphore(SWEEP_TOGETHER_MAX)
            results = await asyncio.gather(*(self._sweep_one(standing, together) for standing in page))
            failed.update(standing.movement.id for standing, ok in zip(page, results, strict=True) if not ok)
            swept += sum(results)
            if len(page) < SWEEP_PAGE:
                await self._movements.note_sweep(written_before)
                break
            if len(failed) >= SWEEP_PAGE:
                break
        return swept

    async def close(self) -> None:
        """Finish the winding up that is under way, for CLOSE_TIMEOUT_S at most; the rest is left to a sweeper."""
        if not self._winding_up:
            return
        _, left = await asyncio.wait(set(self._winding_up), timeout=CLOSE_TIMEOUT_S)
        for task in left:
            task.cancel()

    async def _complete(self, standing: Standing) -> Posted | Refused:
        carried_out = await self._driver.drive(standing)
        task = asyncio.create_task(self._wind_up(carried_out))
        self._winding_up.add(task)
        task.add_done_callback(self._winding_up.discard)
        if len(self._winding_up) > WINDING_UP_MAX:
            await asyncio.wait(set(self._winding_up), return_when=asyncio.FIRST_COMPLETED)
        return carried_out.outcome()

    async def _wind_up(self, standing: Standing) -> None:
        """Marks fold into the next update of the account, if there is one soon."""
        try:
            await self._driver.wind_up(standing)
        except Exception:  # noqa: BLE001 (the movement is carried out; the rest is the sweeper's)
            _log.info("winding up left to the sweeper", movement=standing.movement.id, exc_info=True)

    async def _sweep_one(self, standing: Standing, together: asyncio.Semaphore) -> bool:
        async with together:
            try:
                await self._driver.wind_up(await self._driver.drive(standing))
            except Exception:  # noqa: BLE001 (one broken movement must not keep the others)
                _log.exception("movement not brought to its end", movement=standing.movement.id)
                return False
            return True

    def _check(self, movement: Movement) -> None:
        check_movement(movement)
        unknown = [str(leg.account) for leg in movement.legs if not self._knows(leg.account.kind, leg.account.field)]
        unknown += [str(guard.place) for guard in movement.guards if guard.place.kind not in self.kinds]
        unknown += [effect.name for effect in movement.effects if effect.name not in self._effects]
        if unknown:
            raise MalformedMovementError(f"movement {movement.id} names unknown {', '.join(unknown)}")

    def _knows(self, kind: str, field: str) -> bool:
        return kind in self.kinds and any(amount.name == field for amount in self.kinds[kind].rules.amounts)
