"""Rewards and campaigns as they travel."""

from typing import Any, Literal

from pydantic import Field, TypeAdapter

from kit.schemas import ReadModel, Timestamp, WriteModel
from staking.references import BalanceUserRef, RewardSourceRef, RewardUserRef
from staking.schemas.amounts import OmniOut, PositiveOmniIn
from staking.schemas.fields import Name

SourceType = Literal["stake", "bot", "campaign"]


def _refers_from_balance_too(schema: dict[str, Any]) -> None:
    """Who is credited for the first time gets a balance, which refers to the same user."""
    schema["allOf"] = [TypeAdapter(BalanceUserRef).json_schema()]


class RewardCreate(WriteModel):
    """A bonus: from a campaign's budget, or from the treasury for a stake or a bot of the user."""

    user_id: RewardUserRef = Field(json_schema_extra=_refers_from_balance_too)
    source_type: SourceType
    source_id: RewardSourceRef
    amount: PositiveOmniIn


class RewardOut(ReadModel):
    """`kind`: `distribution` (became claimable), `exit` (paid with the principal), `bonus` (credited at once)."""

    log_id: str
    user_id: str
    source_type: SourceType
    source_id: str
    amount: OmniOut
    period: str
    kind: Literal["distribution", "exit", "bonus"]
    at: Timestamp


class CampaignCreate(WriteModel):
    """The budget is taken from the treasury at once."""

    name: Name
    budget: PositiveOmniIn


class CampaignOut(ReadModel):
    """`paid` + `left` + `returned` = `budget`: what is left at the end goes back to the treasury."""

    campaign_id: str
    name: str
    budget: OmniOut
    paid: OmniOut
    left: OmniOut
    returned: OmniOut
    state: Literal["open", "closed"]
    closed_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    version: int
