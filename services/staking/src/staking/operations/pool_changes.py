"""What a patch changes of a pool, and what it may not."""

from typing import Any

from kit.problems import FieldError, IllegalTransition, InvalidRequest
from staking.documents.pool import StakingPool
from staking.domain.amounts import SUPPLY_MAX, format_omni
from staking.domain.pool import PoolAction, PoolState, allowed_pool_actions, next_pool_state
from staking.problems import PoolCapacityExceeded, TermsFrozen
from staking.schemas.pools import PoolPatch

TERMS = {
    "apr_bps": "aprBps",
    "rate_per_second": "ratePerSecond",
    "emission_seconds": "emissionSeconds",
    "lock_days": "lockDays",
    "early_exit_penalty_bps": "earlyExitPenaltyBps",
}
LIMITS = {"name": "name", "min_stake": "minStake", "max_stake_per_user": "maxStakePerUser"}


def changed_fields(pool: StakingPool, patch: PoolPatch) -> tuple[dict[str, Any], list[str]]:
    """Stored fields to set, and to unset. Raises IllegalTransition, TermsFrozen, InvalidRequest,
    PoolCapacityExceeded."""
    given = patch.model_fields_set
    if next_pool_state(PoolState(pool.state), PoolAction.ADJUST) is None:
        raise _illegal(pool)
    _check_terms(pool, patch)
    changes: dict[str, Any] = {}
    unset: list[str] = []
    for name, stored in {**TERMS, **LIMITS}.items():
        if name not in given or getattr(patch, name) == getattr(pool, name):
            continue
        if getattr(patch, name) is None:
            unset.append(stored)
        else:
            changes[stored] = getattr(patch, name)
    if "capacity" in given:
        changes |= _capacity(pool, SUPPLY_MAX if patch.capacity is None else patch.capacity)
    if changes.keys() & {"minStake", "capacityMax"}:
        check_room(
            min_stake=changes.get("minStake", pool.min_stake),
            capacity=changes.get("capacityMax", pool.capacity_max),
            pointer="/minStake" if "minStake" in changes else "/capacity",
        )
    return changes, unset


def check_room(*, min_stake: int, capacity: int, pointer: str = "/minStake") -> None:
    """Raises InvalidRequest for a pool that could never take a stake."""
    if min_stake > capacity:
        detail = f"The least stake, {format_omni(min_stake)}, is above the capacity, {format_omni(capacity)}."
        raise InvalidRequest("The pool could take no stake.", errors=[FieldError(pointer, "out-of-range", detail)])


def _check_terms(pool: StakingPool, patch: PoolPatch) -> None:
    given = patch.model_fields_set
    misplaced = [name for name in ("apr_bps", "rate_per_second", "emission_seconds") if _misplaced(pool, name, given)]
    if misplaced:
        raise InvalidRequest(
            "A pool keeps its reward model; make another for another model.",
            errors=[
                FieldError(f"/{TERMS[name]}", "model_terms", "The pool's model has no such term.") for name in misplaced
            ],
        )
    frozen = [stored for name, stored in TERMS.items() if name in given and getattr(patch, name) != getattr(pool, name)]
    if "max_stake_per_user" in given and (patch.max_stake_per_user is None) != (pool.max_stake_per_user is None):
        frozen.append("maxStakePerUser")
    if frozen and next_pool_state(PoolState(pool.state), PoolAction.REVISE) is None:
        raise TermsFrozen(
            "Only name and limits of an opened pool can be changed, and a limit per user neither set nor lifted.",
            errors=[FieldError(f"/{name}", "terms-frozen", "An opened pool keeps it.") for name in frozen],
        )


def _misplaced(pool: StakingPool, name: str, given: set[str]) -> bool:
    return name in given and getattr(pool, name) is None


def _capacity(pool: StakingPool, capacity_max: int) -> dict[str, Any]:
    free = pool.capacity + capacity_max - pool.capacity_max
    if free < 0:
        taken = format_omni(pool.capacity_max - pool.capacity)
        raise PoolCapacityExceeded(f"{taken} is staked already; the capacity cannot be less.")
    return {"capacityMax": capacity_max, "capacity": free} if capacity_max != pool.capacity_max else {}


def _illegal(pool: StakingPool) -> IllegalTransition:
    state, action = PoolState(pool.state), PoolAction.ADJUST
    allowed = [one.value for one in allowed_pool_actions(state)]
    return IllegalTransition("A closed pool stays as it is.", from_=state.value, action=action.value, allowed=allowed)
