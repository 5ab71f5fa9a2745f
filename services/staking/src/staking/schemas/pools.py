"""Staking pools as they travel."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from kit.schemas import ReadModel, Timestamp, WriteModel
from staking.schemas.amounts import OmniOut, PositiveOmniIn
from staking.schemas.fields import AprBps, EmissionSeconds, LockDays, Name, PenaltyBps, absent

Model = Literal["fixed-apr", "emission"]
ONE_PER_MODEL = (
    "A fixed-apr pool has aprBps alone; an emission pool has either ratePerSecond (shared by all stakes until the "
    "budget is spent) or emissionSeconds (each funding is spread over that time)."
)


class PoolCreate(WriteModel):
    """The terms of a pool. Left out, `maxStakePerUser` and `capacity` are without a limit."""

    name: Name
    model: Model
    apr_bps: AprBps | None = None
    rate_per_second: PositiveOmniIn | None = None
    emission_seconds: EmissionSeconds | None = None
    lock_days: LockDays = 0
    min_stake: PositiveOmniIn = Field(default=1, validate_default=False, description="0.00000001 if left out.")
    max_stake_per_user: PositiveOmniIn | None = None
    capacity: PositiveOmniIn | None = None
    early_exit_penalty_bps: PenaltyBps = 0

    @model_validator(mode="after")
    def _check_terms(self) -> Self:
        rates = [self.apr_bps is not None, self.rate_per_second is not None, self.emission_seconds is not None]
        right = rates == [True, False, False] if self.model == "fixed-apr" else not rates[0] and sum(rates) == 1
        if not right:
            raise PydanticCustomError("model_terms", ONE_PER_MODEL)
        return self


class PoolPatch(WriteModel):
    """What is left out stays. Of a pool that was opened only name and limits change."""

    name: Name = Field(default_factory=absent)
    apr_bps: AprBps = Field(default_factory=absent)
    rate_per_second: PositiveOmniIn = Field(default_factory=absent)
    emission_seconds: EmissionSeconds = Field(default_factory=absent)
    lock_days: LockDays = Field(default_factory=absent)
    min_stake: PositiveOmniIn = Field(default_factory=absent)
    max_stake_per_user: PositiveOmniIn | None = Field(default_factory=absent)
    capacity: PositiveOmniIn | None = Field(default_factory=absent)
    early_exit_penalty_bps: PenaltyBps = Field(default_factory=absent)


class PoolFund(WriteModel):
    amount: PositiveOmniIn


class BudgetOut(ReadModel):
    """`funded` is all that ever came in, `left` what was not paid yet, `unearned` the part of it that nobody has earned
    so far. A closed pool's `unearned` goes back to the treasury once nothing is staked in it."""

    funded: OmniOut
    left: OmniOut
    unearned: OmniOut


class PoolOut(ReadModel):
    """`coveredUntil`: how long the budget pays what is staked now; null for ever, or while nothing is staked."""

    pool_id: str
    name: str
    model: Model
    apr_bps: int | None
    rate_per_second: OmniOut | None
    emission_seconds: int | None
    lock_days: int
    min_stake: OmniOut
    max_stake_per_user: OmniOut | None
    capacity: OmniOut | None
    early_exit_penalty_bps: int
    state: Literal["draft", "open", "paused", "closed"]
    staked: OmniOut
    budget: BudgetOut
    current_rate_per_second: Annotated[OmniOut, Field(description="What an emission pool emits now.")] | None
    covered_until: Timestamp | None
    opened_at: Timestamp | None
    closed_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    version: int
