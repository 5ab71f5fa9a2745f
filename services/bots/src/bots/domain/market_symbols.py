"""Unified market symbols and the ids of pairs, which are made from them and lead back to them.

A symbol is BASE/QUOTE for a spot market and BASE/QUOTE:SETTLE[-YYMMDD[-STRIKE-C|P]] for a contract (ccxt's form).
A pair's id is `<exchange>:<symbol>` with "/" written as "-", so that it fits into a path: `binance:BTC-USDT`,
`binance:BTC-USDT:USDT-260327`. What a path can't hold is written as `~` and two hexadecimal digits per byte.
"""

import re
from dataclasses import dataclass
from unicodedata import is_normalized

SYMBOL_CHARACTERS_MAX = 80
EXCHANGE_PATTERN = r"^[a-z0-9][a-z0-9_]{0,39}$"
PAIR_ID_CHARACTERS_MAX = 300

_EXCHANGE = re.compile(EXCHANGE_PATTERN.removesuffix("$"), re.ASCII)
_SYMBOL = re.compile(r"([^\s/:]+)/([^\s/:]+)(?::([^\s/:-]+)(-[^\s/:]+)?)?")
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._")
_TAIL_PLAIN = _PLAIN | frozenset(b":-")
_ESCAPE = re.compile(rb"~([0-9A-F]{2})")


@dataclass(frozen=True, slots=True)
class SymbolParts:
    base: str
    quote: str
    settle: str | None


def split_symbol(symbol: str) -> SymbolParts | None:
    """The parts of a symbol, None if it isn't one."""
    if len(symbol) > SYMBOL_CHARACTERS_MAX or not symbol.isprintable() or not is_normalized("NFC", symbol):
        return None
    match = _SYMBOL.fullmatch(symbol)
    return SymbolParts(match[1], match[2], match[3]) if match else None


def is_exchange(name: str) -> bool:
    return _EXCHANGE.fullmatch(name) is not None


def pair_id(exchange: str, symbol: str) -> str:
    """The id of the pair that trades as `symbol` on `exchange`; both must be well-formed."""
    base, _, tail = symbol.partition("/")
    return f"{exchange}:{_escape(base, _PLAIN)}-{_escape(tail, _TAIL_PLAIN)}"


def parse_pair_id(identifier: str) -> tuple[str, str] | None:
    """Exchange and symbol that the id was made from, None if it was made from none."""
    exchange, _, rest = identifier.partition(":")
    base, dash, tail = rest.partition("-")
    symbol = f"{_unescape(base)}/{_unescape(tail)}"
    if not dash or not is_exchange(exchange) or split_symbol(symbol) is None:
        return None
    return (exchange, symbol) if pair_id(exchange, symbol) == identifier else None


def _escape(text: str, plain: frozenset[int]) -> str:
    return "".join(chr(byte) if byte in plain else f"~{byte:02X}" for byte in text.encode())


def _unescape(text: str) -> str:
    raw = _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode())
    return raw.decode(errors="replace")
