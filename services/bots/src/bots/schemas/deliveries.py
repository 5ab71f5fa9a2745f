"""Samples and trades as they are delivered and shown."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from bots.domain.samples import SEQ_MAX
from bots.references import PerformanceBotRef
from bots.schemas.fields import Amount, AmountNotNegative, AmountPositive
from bots.schemas.market_pairs import Symbol
from kit.schemas import PageOut, ReadModel, Timestamp, WriteModel, text

SAMPLES_MAX = 1000
TRADES_MAX = 1000
BOTS_MAX = 200

Resolution = Literal["1m"]
TradeId = Annotated[str, text(64)]


class SampleIn(WriteModel):
    """Equity at a minute. Of two writings of one minute the one with the greater `seq` counts."""

    ts: Timestamp
    equity: Amount
    realized_pnl: Amount
    unrealized_pnl: Amount
    fees: Amount = 0
    volume: AmountNotNegative = 0
    cash_flow: Amount = 0
    seq: Annotated[int, Field(ge=0, le=SEQ_MAX)]


class SampleBatch(WriteModel):
    samples: Annotated[list[SampleIn], Field(min_length=1, max_length=SAMPLES_MAX)]


class BotSamples(WriteModel):
    bot_id: PerformanceBotRef
    samples: Annotated[list[SampleIn], Field(min_length=1, max_length=SAMPLES_MAX)]


class SampleBatches(WriteModel):
    """Samples of many bots, each bot once; at most SAMPLES_MAX samples in all."""

    bots: Annotated[list[BotSamples], Field(min_length=1, max_length=BOTS_MAX)]

    @model_validator(mode="after")
    def _bounded(self) -> "SampleBatches":
        if sum(len(one.samples) for one in self.bots) > SAMPLES_MAX:
            raise PydanticCustomError("too_long", "There may be at most 1,000 samples in all.")
        if len({one.bot_id for one in self.bots}) != len(self.bots):
            raise PydanticCustomError("duplicate", "A bot stands there twice.")
        return self


class TradeIn(WriteModel):
    """A closed trade. `profit` is gross, `fee` the amount of both sides' fees; a negative one is a rebate."""

    trade_id: TradeId
    side: Literal["long", "short", "buy", "sell"]
    opened_at: Timestamp
    closed_at: Timestamp
    amount: AmountPositive
    open_price: AmountNotNegative
    close_price: AmountNotNegative
    fee: Amount = 0
    profit: Amount
    market_pair: Symbol | None = None

    @field_validator("closed_at")
    @classmethod
    def _closed_after_opened(cls, closed_at: datetime, info: ValidationInfo) -> datetime:
        opened_at = info.data.get("opened_at")
        if opened_at is not None and closed_at < opened_at:
            raise PydanticCustomError("out_of_range", "The trade was closed before it was opened.")
        return closed_at


class TradeBatch(WriteModel):
    trades: Annotated[list[TradeIn], Field(min_length=1, max_length=TRADES_MAX)]


class DeliveryOut(ReadModel):
    """What became of what was received."""

    received: int
    created: int
    updated: int
    unchanged: int


class BotDeliveryOut(DeliveryOut):
    bot_id: str


class DeliveriesOut(DeliveryOut):
    """In all, and per bot in the order given."""

    bots: list[BotDeliveryOut]


class SampleOut(ReadModel):
    ts: Timestamp
    equity: str
    realized_pnl: str
    unrealized_pnl: str
    fees: str
    volume: str
    cash_flow: str
    seq: int


class HistoryOut(PageOut[SampleOut]):
    """Samples in order of time, at the resolution that they were delivered in."""

    currency: str
    resolution: Resolution


class TradeOut(ReadModel):
    trade_id: str
    side: str
    market_pair: str | None
    opened_at: Timestamp
    closed_at: Timestamp
    amount: str
    open_price: str
    close_price: str
    fee: str
    profit: str
