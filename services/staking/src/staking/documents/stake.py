"""Stakes: a user's tokens in a pool, on the terms of the day they came in."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from kit.documents import Entity
from kit.references.rules import EntityRules, OwnerField, Roles
from kit.store.indexes import index
from staking.references import StakePoolRef, StakeUserRef


class UserStake(Entity):
    """`edition` is the version outside (see StakingPool). Amounts are in units of 1e-8 OMNI. `principal` never changes;
    `claimable` is an account and changed by the ledger only. `index_from` is the pool's index as the tokens came in;
    `settled` is all that was ever paid of what was earned since.

    Pending, it is seen by nobody: the movement of its tokens makes it active, or it is removed.
    """

    rules: ClassVar[EntityRules] = EntityRules(
        key="stakeId", referable_by=(OwnerField("userId"), Roles("treasury", "admin")), exposes=("userId",)
    )

    edition: int = 1
    user_id: StakeUserRef
    pool_id: StakePoolRef
    principal: int
    state: str
    model: str
    apr_bps: int | None = None
    rate_per_second: int | None = None
    emission_seconds: int | None = None
    lock_days: int
    early_exit_penalty_bps: int
    is_limited: bool
    unlocks_at: datetime
    index_from: str | None = None
    claimable: int = 0
    settled: int = 0
    settled_day: int = 0
    settled_through: datetime | None = None
    payout: int | None = None
    penalty: int | None = None
    withdrawn_at: datetime | None = None
    last_action_id: str | None = None
    marks: dict[str, Any] = Field(default_factory=dict)

    class Settings:
        name = "user_stakes"
        indexes: ClassVar = [
            index("userId", "createdAt"),
            index("poolId", "state", "createdAt"),
            index("state", "createdAt"),
            index("createdAt"),
        ]
