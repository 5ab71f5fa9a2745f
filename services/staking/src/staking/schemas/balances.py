"""Balances as they travel."""

from typing import Annotated

from kit.ids import Id
from kit.schemas import ReadModel, Timestamp, WriteModel, text
from staking.schemas.amounts import OmniOut, PositiveOmniIn

REASON_CHARACTERS_MAX = 200


class BalanceChange(WriteModel):
    amount: PositiveOmniIn
    reason: Annotated[str, text(REASON_CHARACTERS_MAX)]


class AmountsOut(ReadModel):
    available: OmniOut
    staked: OmniOut


class BalanceOut(AmountsOut):
    user_id: Id
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class BalanceChangeOut(ReadModel):
    entry_id: str
    balance: AmountsOut


class EntryOut(ReadModel):
    entry_id: str
    user_id: Id
    sequence: int
    account: str
    amount: OmniOut
    running_balance: OmniOut
    kind: str
    source: str
    reason: str
    at: Timestamp
