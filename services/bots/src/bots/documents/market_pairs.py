"""Market pairs: what an exchange trades. Their ids are natural keys, so they are delisted and never deleted."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from bots.domain.market_import import MarketState, MarketType
from kit.documents import Entity
from kit.references.rules import EntityRules
from kit.store import index


class _Value(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class StoredPrecision(_Value):
    """Tick sizes, as decimal strings."""

    amount: str | None = None
    price: str | None = None


class StoredDigits(_Value):
    amount: int | None = None
    price: int | None = None


class StoredBounds(_Value):
    min: str | None = None
    max: str | None = None


class StoredLimits(_Value):
    amount: StoredBounds
    price: StoredBounds
    cost: StoredBounds
    leverage: StoredBounds


class MarketPair(Entity):
    rules = EntityRules(key="pairId", conditions=("state",), composite=("exchange", "symbol"))

    exchange: str
    symbol: str
    base: str
    quote: str
    settle: str | None = None
    type: MarketType
    precision: StoredPrecision
    significant_digits: StoredDigits
    limits: StoredLimits
    maker: str | None = None
    taker: str | None = None
    state: MarketState
    delist_at: datetime | None = None

    class Settings:
        name = "market_pairs"
        indexes = (index("exchange", "symbol", unique=True), index("symbol"))
