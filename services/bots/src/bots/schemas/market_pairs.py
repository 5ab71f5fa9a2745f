"""Market pairs as they travel."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from bots.domain.market_import import MarketState, MarketType
from bots.domain.market_symbols import EXCHANGE_PATTERN, SYMBOL_CHARACTERS_MAX
from bots.domain.tick_sizes import CCXT_CONSTANTS, PrecisionMode
from kit.schemas import ReadModel, Timestamp, WriteModel, text

MARKETS_MAX = 50_000

Exchange = Annotated[str, Field(pattern=EXCHANGE_PATTERN)]
Symbol = Annotated[str, text(SYMBOL_CHARACTERS_MAX)]


def _precision_mode(value: Any) -> Any:
    """ccxt has its modes as numbers too."""
    return CCXT_CONSTANTS.get(value, value) if type(value) is int else value


class MarketImport(WriteModel):
    """An exchange's markets in ccxt's form, by symbol or as a list."""

    exchange: Exchange
    precision_mode: Annotated[PrecisionMode, BeforeValidator(_precision_mode)]
    markets: (
        Annotated[dict[str, Any], Field(max_length=MARKETS_MAX)] | Annotated[list[Any], Field(max_length=MARKETS_MAX)]
    )


class RejectedMarketOut(ReadModel):
    symbol: str
    code: str
    detail: str


class MarketImportOut(ReadModel):
    """What became of each market. `rejected` has the first ones, `rejectedCount` counts all."""

    exchange: str
    received: int
    created: int
    updated: int
    unchanged: int
    rejected_count: int
    rejected: list[RejectedMarketOut]


class PrecisionOut(ReadModel):
    """Tick sizes as decimal strings, null where the exchange states none."""

    amount: str | None
    price: str | None


class SignificantDigitsOut(ReadModel):
    """Stated by exchanges that have no fixed tick size."""

    amount: int | None
    price: int | None


class BoundsOut(ReadModel):
    min: str | None
    max: str | None


class LimitsOut(ReadModel):
    amount: BoundsOut
    price: BoundsOut
    cost: BoundsOut
    leverage: BoundsOut


class MarketPairOut(ReadModel):
    """What an exchange trades. Fees are fractions: 0.001 is 0.1 %."""

    pair_id: str
    exchange: str
    symbol: str
    base: str
    quote: str
    settle: str | None
    type: MarketType
    precision: PrecisionOut
    significant_digits: SignificantDigitsOut
    limits: LimitsOut
    maker: str | None
    taker: str | None
    state: MarketState
    delist_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    version: int
