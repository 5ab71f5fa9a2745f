"""What was ever given as a reward: one record per payment."""

from datetime import datetime
from typing import ClassVar

from kit.documents import Entity
from kit.references.rules import EntityRules, OwnerField, Roles
from kit.store.indexes import index
from staking.references import RewardSourceRef, RewardUserRef


class RewardLog(Entity):
    """`_id` of what a stake earned is made from the stake and the period, so that nothing is logged twice. `amount` is
    in units of 1e-8 OMNI. Pending, a bonus is seen by nobody: its movement makes it credited, or it is removed."""

    rules: ClassVar[EntityRules] = EntityRules(
        key="logId", referable_by=(), visible_to=(OwnerField("userId"), Roles("treasury", "admin"))
    )

    user_id: RewardUserRef
    source_type: str
    source_id: RewardSourceRef
    amount: int
    period: str
    kind: str
    state: str
    created_by: str = ""
    at: datetime

    class Settings:
        name = "reward_transaction_logs"
        indexes: ClassVar = [index("userId", "at"), index("sourceId", "at"), index("state", "at"), index("at")]
