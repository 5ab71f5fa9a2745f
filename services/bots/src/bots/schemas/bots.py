"""Trading bots as they travel."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from bots.domain.bot_life_cycle import BotAction, BotStatus
from bots.domain.bot_modes import BotMode
from bots.references import BotAccountRef, BotPairRef, BotUserRef
from bots.schemas.fields import AmountPositive, Currency, Reason, absent
from kit.schemas import ReadModel, Timestamp, WriteModel, text

TAGS_MAX = 20
PARAMS_CHARACTERS_MAX = 32_768


def _distinct(tags: list[str]) -> list[str]:
    if len(set(tags)) != len(tags):
        raise PydanticCustomError("duplicate", "A tag stands there twice.")
    return tags


def _bounded(params: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(params, ensure_ascii=False)) > PARAMS_CHARACTERS_MAX:
        raise PydanticCustomError("too_long", "The parameters may have at most 32,768 characters as JSON.")
    return params


BotName = Annotated[str, text(100)]
Notes = Annotated[str, text(4000, multiline=True)]
Tag = Annotated[str, text(40)]
Tags = Annotated[list[Tag], Field(max_length=TAGS_MAX), AfterValidator(_distinct)]
DrawdownShare = Annotated[float, Field(gt=0, le=1)]
Params = Annotated[dict[str, Any], AfterValidator(_bounded)]


class Strategy(WriteModel):
    """What the bot trades by; `params` are the strategy's own."""

    name: Annotated[str, text(100)]
    version: Annotated[str, text(50)]
    params: Params = Field(default_factory=dict)


class InitialCapital(WriteModel):
    amount: AmountPositive
    currency: Currency


class BotCreate(WriteModel):
    """`maxDrawdownStop` is the share of the peak that may be lost: 0.2 is 20 %."""

    user_id: BotUserRef | None = None
    exchange_account_id: BotAccountRef
    market_pair: BotPairRef
    name: BotName
    strategy: Strategy
    mode: BotMode
    initial_capital: InitialCapital
    max_drawdown_stop: DrawdownShare | None = None
    notes: Notes | None = None
    tags: Tags = Field(default_factory=list)


class BotPatch(WriteModel):
    """What may be changed; which of it, depends on the bot's state."""

    name: BotName = Field(default_factory=absent)
    notes: Notes | None = Field(default_factory=absent)
    tags: Tags = Field(default_factory=absent)
    strategy: Strategy = Field(default_factory=absent)
    max_drawdown_stop: DrawdownShare | None = Field(default_factory=absent)
    exchange_account_id: BotAccountRef = Field(default_factory=absent)


class BotTransition(WriteModel):
    reason: Reason | None = None


class StrategyOut(ReadModel):
    name: str
    version: str
    params: dict[str, Any]


class MoneyOut(ReadModel):
    amount: str
    currency: str


class RunOut(ReadModel):
    """From a start to a stop or a failure."""

    number: int
    started_at: Timestamp
    ended_at: Timestamp | None
    ended_by: BotAction | None


class BotOut(ReadModel):
    """`runs` are the last ones, `runCount` counts all."""

    bot_id: str
    user_id: str
    exchange_account_id: str
    exchange: str
    market_pair: str
    name: str
    strategy: StrategyOut
    mode: BotMode
    initial_capital: MoneyOut
    max_drawdown_stop: float | None
    status: BotStatus
    runs: list[RunOut]
    run_count: int
    notes: str | None
    tags: list[str]
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class BotEventOut(ReadModel):
    """A transition: who, when and why. `run` is the run that it began, ended or was in, 0 before the first."""

    event_id: str
    bot_id: str
    action: BotAction
    from_status: Annotated[BotStatus, Field(serialization_alias="from")]
    to_status: Annotated[BotStatus, Field(serialization_alias="to")]
    actor_id: str
    reason: str | None
    run: int
    at: Timestamp
