"""Distributions as they travel."""

from typing import Literal

from kit.schemas import ReadModel, Timestamp, WriteModel
from staking.schemas.amounts import OmniOut
from staking.schemas.fields import Period


class DistributionRequest(WriteModel):
    """A day in UTC, up to today. Today's is distributed up to now; the rest of it falls to the next distribution."""

    period: Period


class DistributionOut(ReadModel):
    """`stakesPaid` and `amountPaid` are exact at every moment. `poolsSpent` counts the pools whose budget no longer
    covers what their stakes would earn: what was earned until then is paid, and earning goes on with new funding."""

    period: str
    state: Literal["running", "done"]
    stakes_paid: int
    amount_paid: OmniOut
    pools_paid: int
    pools_spent: int
    started_at: Timestamp
    finished_at: Timestamp | None
