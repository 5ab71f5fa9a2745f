"""Staking pools, and how much of a pool each user has taken."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from kit.documents import Entity, Record
from kit.references.rules import Anyone, EntityRules
from kit.store.indexes import index


class StakingPool(Entity):
    """`edition` counts the changes that are seen from outside, and is the version there; `version` counts all writes,
    the ledger's marks too. Terms are fixed once the pool was opened, but for its name and limits.

    Amounts are in units of 1e-8 OMNI; `budget`, `principal` and `capacity` are accounts and changed by the ledger only,
    `index` to `dayIndexes` along with them."""

    rules: ClassVar[EntityRules] = EntityRules(key="poolId", referable_by=(Anyone(),))

    edition: int = 1
    name: str
    model: str
    apr_bps: int | None = None
    rate_per_second: int | None = None
    emission_seconds: int | None = None
    lock_days: int
    min_stake: int
    max_stake_per_user: int | None = None
    capacity_max: int
    early_exit_penalty_bps: int
    state: str
    budget: int = 0
    principal: int = 0
    capacity: int
    funded: int = 0
    index: str = "0"
    accrued_at: datetime
    reserve: str = "0"
    rate: int = 0
    ends_at: datetime | None = None
    day_indexes: dict[str, str] = Field(default_factory=dict)
    distributed_day: int = 0
    is_drained: bool = False
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    last_action_id: str | None = None
    marks: dict[str, Any] = Field(default_factory=dict)

    class Settings:
        name = "staking_pools"
        indexes: ClassVar = [index("createdAt"), index("state", "createdAt")]


class PoolAllowance(Record):
    """`_id` is the pool's id and the user's. `free` + `used` = `limit`."""

    limit: int
    free: int
    used: int = 0
    version: int = 1
    marks: dict[str, Any] = Field(default_factory=dict)

    class Settings:
        name = "pool_allowances"
