"""Movements of stakes and rewards, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from staking.domain.balances import available, staked
from staking.domain.campaign import CampaignState
from staking.domain.ledger import Account, Effect, Guard, Leg, Movement, legs_between
from staking.domain.periods import day_number
from staking.domain.pool import PoolState
from staking.domain.pool_accounts import allowance_free, allowance_used, budget, capacity, pool_place, principal
from staking.domain.stake import Exit, StakeState
from staking.domain.stake_accounts import campaign_left, campaign_place, claimable, distribution_place, stake_place
from staking.domain.system_accounts import PENALTIES, TREASURY

ACTIVATE_STAKE = "activate-stake"
LOG_EXIT = "log-exit"
LOG_DISTRIBUTION = "log-distribution"
CREDIT_REWARD = "credit-reward"
BATCH_STAKES_MAX = 200
"""Stakes that one movement of a distribution pays: each is a leg and a guard, and there is a leg and a guard more."""


@dataclass(frozen=True, slots=True)
class StakeKey:
    """What every movement of a stake names. `is_limited`: the pool limits what one user may stake."""

    stake_id: str
    user_id: str
    pool_id: str
    principal: int
    is_limited: bool


def stake_opening(stake: StakeKey, *, attempt: int, at: datetime) -> Movement:
    """available → staked, and the pool's capacity → its principal. The pool must be open as its capacity is taken."""
    taken = [available(stake.user_id), capacity(stake.pool_id)]
    given = [staked(stake.user_id), principal(stake.pool_id)]
    if stake.is_limited:
        taken.append(allowance_free(stake.pool_id, stake.user_id))
        given.append(allowance_used(stake.pool_id, stake.user_id))
    return Movement(
        id=f"stake:{stake.stake_id}:{attempt}",
        kind="stake",
        source=stake.stake_id,
        legs=legs_between(taken, given, stake.principal),
        at=at,
        guards=(Guard(pool_place(stake.pool_id), require={"state": PoolState.OPEN.value}, capture=("index",)),),
        effects=(Effect(ACTIVATE_STAKE, {"stakeId": stake.stake_id}),),
        actor_id=stake.user_id,
    )


@dataclass(frozen=True, slots=True)
class Leaving:
    """What a stake is worth as it is left: `settled_before` and `claimable` as they were read, `accrued` on top."""

    settled_before: int
    accrued: int
    claimable: int
    exit: Exit


def stake_leaving(stake: StakeKey, leaving: Leaving, *, action_id: str, attempt: int, at: datetime) -> Movement:
    """Everything that belongs to the stake goes to its user, but for the penalty; its place in the pool is free."""
    to_user = leaving.exit.payout + leaving.accrued + leaving.claimable
    amounts: list[tuple[Account, int]] = [
        (staked(stake.user_id), -stake.principal),
        (available(stake.user_id), to_user),
        (PENALTIES, leaving.exit.penalty),
        (claimable(stake.stake_id), -leaving.claimable),
        (budget(stake.pool_id), -leaving.accrued),
        (principal(stake.pool_id), -stake.principal),
        (capacity(stake.pool_id), stake.principal),
    ]
    if stake.is_limited:
        amounts.append((allowance_used(stake.pool_id, stake.user_id), -stake.principal))
        amounts.append((allowance_free(stake.pool_id, stake.user_id), stake.principal))
    guard = Guard(
        stake_place(stake.stake_id),
        expect={"state": StakeState.ACTIVE.value, "settled": leaving.settled_before},
        put={
            "state": StakeState.WITHDRAWN.value,
            "settled": leaving.settled_before + leaving.accrued,
            "settledThrough": at,
            "payout": leaving.exit.payout,
            "penalty": leaving.exit.penalty,
            "withdrawnAt": at,
            "lastActionId": action_id,
        },
    )
    log = Effect(LOG_EXIT, {"stakeId": stake.stake_id, "userId": stake.user_id, "amount": leaving.accrued})
    return Movement(
        id=f"unstake:{action_id}:{attempt}",
        kind="unstake",
        source=stake.stake_id,
        legs=tuple(Leg(account, amount) for account, amount in amounts if amount),
        at=at,
        guards=(guard,),
        effects=(log,) if leaving.accrued else (),
        actor_id=stake.user_id,
    )


def claim_id(action_id: str) -> str:
    return f"claim:{action_id}"


def stake_claim(stake: StakeKey, amount: int, *, action_id: str, at: datetime) -> Movement:
    return Movement(
        id=claim_id(action_id),
        kind="claim",
        source=stake.stake_id,
        legs=legs_between([claimable(stake.stake_id)], [available(stake.user_id)], amount),
        at=at,
        actor_id=stake.user_id,
    )


@dataclass(frozen=True, slots=True)
class Due:
    """What a stake is to be paid in a period, and where it stood when that was found."""

    stake_id: str
    amount: int
    settled: int
    settled_day: int


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of a distribution, after `number` others of the same period and pool, which paid `stakes_paid` stakes
    `amount_paid`. `through` is the moment up to which it pays."""

    period: str
    pool_id: str
    number: int
    attempt: int
    stakes_paid: int
    amount_paid: int
    through: datetime
    dues: Sequence[Due]


def distribution_batch(batch: Batch, *, at: datetime) -> Movement:
    """Pays every due in full, or none. A stake that was paid in the period meanwhile, or left, refuses the batch."""
    amount = sum(due.amount for due in batch.dues)
    counted = Guard(
        distribution_place(batch.period, batch.pool_id),
        expect={"batches": batch.number},
        put={
            "batches": batch.number + 1,
            "stakesPaid": batch.stakes_paid + len(batch.dues),
            "amountPaid": batch.amount_paid + amount,
        },
        watermark="batches",
    )
    return Movement(
        id=f"distribution:{batch.period}:{batch.pool_id}:{batch.number}:{batch.attempt}",
        kind="distribution",
        source=batch.pool_id,
        legs=(Leg(budget(batch.pool_id), -amount), *(Leg(claimable(due.stake_id), due.amount) for due in batch.dues)),
        at=at,
        guards=(counted, *(_paid_once(due, batch) for due in batch.dues)),
        effects=(Effect(LOG_DISTRIBUTION, {"period": batch.period}),),
    )


def _paid_once(due: Due, batch: Batch) -> Guard:
    return Guard(
        stake_place(due.stake_id),
        expect={"state": StakeState.ACTIVE.value, "settled": due.settled, "settledDay": due.settled_day},
        put={
            "settled": due.settled + due.amount,
            "settledDay": day_number(batch.period),
            "settledThrough": batch.through,
        },
        watermark="settledDay",
    )


def reward_credit(
    *, log_id: str, attempt: int, user_id: str, campaign_id: str | None, amount: int, actor_id: str, at: datetime
) -> Movement:
    """A bonus that comes from no stake's accrual: from the treasury or an open campaign's budget, credited at once."""
    payer = TREASURY if campaign_id is None else campaign_left(campaign_id)
    open_campaign = {"state": CampaignState.OPEN.value}
    return Movement(
        id=f"reward:{log_id}:{attempt}",
        kind="reward",
        source=log_id,
        legs=legs_between([payer], [available(user_id)], amount),
        at=at,
        guards=() if campaign_id is None else (Guard(campaign_place(campaign_id), require=open_campaign),),
        effects=(Effect(CREDIT_REWARD, {"logId": log_id}),),
        actor_id=actor_id,
    )
