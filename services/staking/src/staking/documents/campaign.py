"""Reward campaigns: budgets for bonuses."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from kit.documents import Entity
from kit.references.rules import EntityRules, Roles
from kit.store.indexes import index


class RewardCampaign(Entity):
    """`edition` is the version outside (see StakingPool). Amounts are in units of 1e-8 OMNI. `left` is an account and
    changed by the ledger only; `returned` is what went back to the treasury at the end. Pending, its budget is on the
    way and it is seen by nobody."""

    rules: ClassVar[EntityRules] = EntityRules(key="campaignId", referable_by=(Roles("treasury", "admin"),))

    edition: int = 1
    name: str
    budget: int
    left: int = 0
    returned: int = 0
    state: str
    created_by: str
    closed_at: datetime | None = None
    last_action_id: str | None = None
    marks: dict[str, Any] = Field(default_factory=dict)

    class Settings:
        name = "reward_campaigns"
        indexes: ClassVar = [index("state", "createdAt"), index("createdAt")]
