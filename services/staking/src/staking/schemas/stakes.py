"""Stakes as they travel."""

from typing import Literal

from kit.schemas import ReadModel, Timestamp, WriteModel
from staking.references import StakePoolRef, StakeUserRef
from staking.schemas.amounts import OmniOut, PositiveOmniIn


class StakeCreate(WriteModel):
    user_id: StakeUserRef | None = None
    pool_id: StakePoolRef
    amount: PositiveOmniIn


class StakeTermsOut(ReadModel):
    """The pool's terms on the day the stake began: they stay."""

    model: Literal["fixed-apr", "emission"]
    apr_bps: int | None
    rate_per_second: OmniOut | None
    emission_seconds: int | None
    lock_days: int
    early_exit_penalty_bps: int


class StakeOut(ReadModel):
    """`accrued` is earned up to now and not distributed yet, `claimable` distributed and not claimed yet, `settled` all
    that was distributed or paid at the exit. `payout` and `penalty` are what a withdrawn stake's principal came to."""

    stake_id: str
    user_id: str
    pool_id: str
    principal: OmniOut
    state: Literal["active", "withdrawn"]
    terms: StakeTermsOut
    unlocks_at: Timestamp
    accrued: OmniOut
    claimable: OmniOut
    settled: OmniOut
    settled_through: Timestamp | None
    payout: OmniOut | None
    penalty: OmniOut | None
    withdrawn_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class ClaimOut(StakeOut):
    """The stake, and what this claim moved to the balance."""

    claimed: OmniOut


class PreviewOut(ReadModel):
    """What a stake would come to, if nothing else changes. `rewardPerDay` is that of a whole day at the present rate,
    `coveredUntil` how long the budget would pay it."""

    pool_id: str
    amount: OmniOut
    unlocks_at: Timestamp
    reward_per_day: OmniOut
    early_exit_penalty: OmniOut
    early_exit_payout: OmniOut
    covered_until: Timestamp | None
