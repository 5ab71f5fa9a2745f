"""A user's token balance, and its statement."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from kit.documents import Entity, Part
from kit.ids import Id
from kit.references.rules import EntityRules, OwnerField, PartOf, Roles
from kit.store.indexes import index
from staking.references import BalanceUserRef


class TokenBalance(Entity):
    """One per user: its key is the user's id. `edition` is the version outside (see StakingPool). Amounts are in
    units of 1e-8 OMNI and changed by the ledger only.

    `has_entries` is set, by a guarded change, before the first movement: from then on the user can't be deleted.
    """

    rules: ClassVar[EntityRules] = EntityRules(
        key="balanceId", referable_by=(), visible_to=(OwnerField("userId"), Roles("treasury", "admin"))
    )

    edition: int = 1
    user_id: BalanceUserRef
    available: int = 0
    staked: int = 0
    has_entries: bool = False
    entry_count: int = 0
    marks: dict[str, Any] = Field(default_factory=dict)

    class Settings:
        name = "user_token_balances"


class BalanceEntry(Part):
    """One leg of a done movement. `_id` is the movement's id and the leg's index; `sequence` counts up without a
    gap from 1 within a balance, and `running_balance` is the account after it."""

    part_of: ClassVar[PartOf] = PartOf(entity="user_token_balances", field="userId")

    user_id: Id
    sequence: int
    account: str
    amount: int
    running_balance: int
    movement_id: str
    kind: str
    source: str
    reason: str
    at: datetime

    class Settings:
        name = "balance_entries"
        indexes: ClassVar = [index("userId", "sequence", unique=True)]
