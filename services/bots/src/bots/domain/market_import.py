"""Market structures as exchanges deliver them (ccxt's form, "Market Structure" in its manual) read as trading pairs.

Fields may be null or absent. What makes a pair unusable is refused, market by market, with a code and a detail; unknown
fields are left alone, since every exchange adds its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from bots.domain.market_symbols import SYMBOL_CHARACTERS_MAX, SymbolParts, pair_id, split_symbol
from bots.domain.tick_sizes import PrecisionMode, decimal_text, exact_decimal, significant_digits, tick_size

CODE_CHARACTERS_MAX = 40
FEE_MAX = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXPIRY_MIN_MS = 946_684_800_000
_EXPIRY_END_MS = 4_133_980_800_000
_LIMITED = ("amount", "price", "cost", "leverage")
_SHOWN_CHARACTERS_MAX = 100


class MarketType(StrEnum):
    SPOT = "spot"
    MARGIN = "margin"
    SWAP = "swap"
    FUTURE = "future"
    OPTION = "option"


class MarketState(StrEnum):
    ACTIVE = "active"
    HALTED = "halted"
    DELISTED = "delisted"


@dataclass(frozen=True, slots=True)
class Market:
    """One pair of one exchange. Tick sizes, limits and fees are exact decimal strings; fees are fractions (0.001 is
    0.1 %)."""

    pair_id: str
    exchange: str
    symbol: str
    base: str
    quote: str
    settle: str | None
    type: MarketType
    precision: Mapping[str, str | None]
    significant_digits: Mapping[str, int | None]
    limits: Mapping[str, Mapping[str, str | None]]
    maker: str | None
    taker: str | None
    state: MarketState
    delist_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A market that was not taken. `symbol` is how the import names it, cut to what can be shown."""

    symbol: str
    code: str
    detail: str


class _Refused(Exception):  # noqa: N818 (a refusal, not an error)
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class MarketReader:
    """Reads the markets of one import. `now` decides whether a contract has expired."""

    exchange: str
    mode: PrecisionMode
    now: datetime
    _seen: set[str] = field(default_factory=set)

    def read(self, name: str | None, market: Any) -> Market | Rejection:
        """One market; `name` is the key it stood under, None where the markets are a list."""
        try:
            return self._read(name, market)
        except _Refused as refused:
            return Rejection(_shown(name, market), refused.code, refused.detail)

    def _read(self, name: str | None, market: Any) -> Market:
        if not isinstance(market, dict):
            raise _Refused("not-an-object", "A market is an object.")
        symbol, parts = _symbol(name, market)
        if symbol in self._seen:
            raise _Refused("duplicate-symbol", "The symbol stands in this import twice; the first one was taken.")
        delist_at = _delist_at(market)
        made = Market(
            pair_id=pair_id(self.exchange, symbol),
            exchange=self.exchange,
            symbol=symbol,
            base=_code(market, "base", parts.base),
            quote=_code(market, "quote", parts.quote),
            settle=_settle(market, parts),
            type=_type(market, parts),
            precision=_precision(market, self.mode),
            significant_digits=_significant_digits(market, self.mode),
            limits=_limits(market),
            maker=_fee(market, "maker"),
            taker=_fee(market, "taker"),
            state=state_at(_state(market), delist_at, self.now),
            delist_at=delist_at,
        )
        self._seen.add(symbol)
        return made


def named_markets(markets: Mapping[str, Any] | Sequence[Any]) -> Iterator[tuple[str | None, Any]]:
    """Markets with the keys they stand under; ccxt has them as a mapping by symbol and as a list."""
    if isinstance(markets, Mapping):
        yield from markets.items()
    else:
        yield from ((None, market) for market in markets)


def state_at(state: MarketState, delist_at: datetime | None, now: datetime) -> MarketState:
    """The state at a moment: a pair whose end has come is delisted, whatever its last import said."""
    return MarketState.DELISTED if delist_at is not None and delist_at <= now else state


def _shown(name: str | None, market: Any) -> str:
    shown = name if name is not None else market.get("symbol") if isinstance(market, dict) else None
    text = shown if isinstance(shown, str) else ""
    return "".join(character if character.isprintable() else "?" for character in text[:_SHOWN_CHARACTERS_MAX])


def _symbol(name: str | None, market: Mapping[str, Any]) -> tuple[str, SymbolParts]:
    symbol = market.get("symbol", name)
    if symbol is None:
        raise _Refused("symbol-missing", "The market has no symbol.")
    parts = split_symbol(symbol) if isinstance(symbol, str) else None
    if not isinstance(symbol, str) or parts is None:
        raise _Refused(
            "symbol-invalid",
            f"A symbol is BASE/QUOTE or BASE/QUOTE:SETTLE, of at most {SYMBOL_CHARACTERS_MAX} characters.",
        )
    if name is not None and name != symbol:
        raise _Refused("symbol-mismatch", "The market's symbol is not the key it stands under.")
    return symbol, parts


def _code(market: Mapping[str, Any], name: str, expected: str) -> str:
    code = market.get(name)
    if code is None:
        raise _Refused(f"{name}-missing", f"The market has no {name} currency.")
    if not isinstance(code, str) or not code or len(code) > CODE_CHARACTERS_MAX:
        raise _Refused(f"{name}-invalid", f"The {name} currency is a code of at most {CODE_CHARACTERS_MAX} characters.")
    if code != expected:
        raise _Refused(f"{name}-mismatch", f"The {name} currency is not the symbol's.")
    return code


def _settle(market: Mapping[str, Any], parts: SymbolParts) -> str | None:
    settle = market.get("settle")
    if settle is not None and settle != parts.settle:
        raise _Refused("settle-mismatch", "The settle currency is not the symbol's.")
    return parts.settle


def _type(market: Mapping[str, Any], parts: SymbolParts) -> MarketType:
    stated = market.get("type")
    if stated is None:
        flags = [kind for kind in MarketType if kind is not MarketType.MARGIN and market.get(kind.value) is True]
        if not flags and parts.settle is None:
            return MarketType.SPOT
        if len(flags) != 1:
            raise _Refused("type-missing", "The market does not say of which type it is.")
        stated = flags[0]
    if not isinstance(stated, str) or stated not in set(MarketType):
        raise _Refused("type-unknown", f"The type is none of {', '.join(MarketType)}.")
    kind = MarketType(stated)
    if (kind in {MarketType.SPOT, MarketType.MARGIN}) == (parts.settle is not None):
        raise _Refused("type-mismatch", "A contract's symbol names what it settles in, and no other symbol does.")
    return kind


def _object(market: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = market.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Refused(f"{name}-invalid", f"'{name}' is an object or null.")
    return value


def _precision(market: Mapping[str, Any], mode: PrecisionMode) -> dict[str, str | None]:
    stated = _object(market, "precision")
    sizes: dict[str, str | None] = {}
    for name in ("amount", "price"):
        try:
            sizes[name] = tick_size(stated.get(name), mode)
        except ValueError as error:
            raise _Refused("precision-invalid", f"The precision of the {name} {error}.") from None
    return sizes


def _significant_digits(market: Mapping[str, Any], mode: PrecisionMode) -> dict[str, int | None]:
    stated = _object(market, "precision")
    return {name: significant_digits(stated.get(name), mode) for name in ("amount", "price")}


def _limits(market: Mapping[str, Any]) -> dict[str, dict[str, str | None]]:
    stated = _object(market, "limits")
    limits: dict[str, dict[str, str | None]] = {}
    for name in _LIMITED:
        bounds = stated.get(name)
        if bounds is not None and not isinstance(bounds, dict):
            raise _Refused("limits-invalid", f"The limits of the {name} are an object or null.")
        limits[name] = {bound: _limit((bounds or {}).get(bound), name, bound) for bound in ("min", "max")}
    return limits


def _limit(value: Any, name: str, bound: str) -> str | None:
    if value is None:
        return None
    try:
        number = exact_decimal(value)
    except ValueError as error:
        raise _Refused("limits-invalid", f"The {bound} of the {name} {error}.") from None
    if number < 0:
        raise _Refused("limits-invalid", f"The {bound} of the {name} is below zero.")
    return decimal_text(number)


def _fee(market: Mapping[str, Any], name: str) -> str | None:
    """A negative fee is a rebate."""
    value = market.get(name)
    if value is None:
        return None
    try:
        number = exact_decimal(value)
    except ValueError as error:
        raise _Refused("fee-invalid", f"The {name} fee {error}.") from None
    if not -FEE_MAX <= number <= FEE_MAX:
        raise _Refused("fee-invalid", f"The {name} fee is a fraction from {-FEE_MAX} to {FEE_MAX}.")
    return decimal_text(number)


def _state(market: Mapping[str, Any]) -> MarketState:
    """Many exchanges don't say whether a market is active: then it is."""
    active = market.get("active")
    if active is not None and not isinstance(active, bool):
        raise _Refused("active-invalid", "'active' is true, false or null.")
    return MarketState.HALTED if active is False else MarketState.ACTIVE


def _delist_at(market: Mapping[str, Any]) -> datetime | None:
    """When a contract ends (`expiry`, in milliseconds)."""
    expiry = market.get("expiry")
    if expiry is None:
        return None
    if isinstance(expiry, bool) or not isinstance(expiry, int | float) or not _EXPIRY_MIN_MS <= expiry < _EXPIRY_END_MS:
        raise _Refused("expiry-invalid", "'expiry' is a time in milliseconds, of the years 2000 to 2100.")
    return _EPOCH + timedelta(milliseconds=int(expiry))
