"""Market structures of exchanges, as they come, read as pairs or refused with a reason."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.domain.market_import import Market, MarketReader, MarketState, MarketType, Rejection, named_markets
from bots.domain.market_symbols import pair_id, parse_pair_id, split_symbol
from bots.domain.tick_sizes import PrecisionMode, significant_digits, tick_size

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DATA = Path(__file__).parents[3] / "demo" / "data"
ADA: dict[str, Any] = {
    "symbol": "ADA/USDT",
    "base": "ADA",
    "quote": "USDT",
    "settle": None,
    "type": "spot",
    "active": True,
    "precision": {"amount": 1, "price": 4},
    "limits": {"amount": {"min": 1e-05, "max": 900000}},
    "maker": 0.001,
    "taker": 0.0026,
}


def read(
    market: Any, name: str | None = "ADA/USDT", mode: PrecisionMode = PrecisionMode.DECIMAL_PLACES
) -> Market | Rejection:
    return MarketReader("binance", mode, NOW).read(name, market)


def taken(market: Any, name: str | None = "ADA/USDT", mode: PrecisionMode = PrecisionMode.DECIMAL_PLACES) -> Market:
    made = read(market, name, mode)
    assert isinstance(made, Market), made
    return made


def swap(**more: Any) -> dict[str, Any]:
    contract = {"symbol": "BTC/USDT:USDT", "base": "BTC", "quote": "USDT", "settle": "USDT", "type": "swap"}
    return {**contract, **more}


def test_market_becomes_a_pair_with_exact_decimal_strings() -> None:
    made = taken(ADA)
    assert (made.pair_id, made.symbol, made.base, made.quote) == ("binance:ADA-USDT", "ADA/USDT", "ADA", "USDT")
    assert made.precision == {"amount": "0.1", "price": "0.0001"}
    assert made.limits["amount"] == {"min": "0.00001", "max": "900000"}
    assert made.limits["cost"] == {"min": None, "max": None}
    assert (made.maker, made.taker) == ("0.001", "0.0026")
    assert (made.type, made.state, made.delist_at) == (MarketType.SPOT, MarketState.ACTIVE, None)


def test_null_and_absent_fields_are_kept_as_unknown() -> None:
    sparse = {"symbol": "ADA/USDT", "base": "ADA", "quote": "USDT"}
    nulls = {**sparse, "settle": None, "type": None, "active": None, "precision": {"amount": None}, "limits": None}
    for market in (sparse, nulls, {**sparse, "precision": None, "limits": {"amount": None}, "maker": None}):
        made = taken(market)
        assert made.precision == {"amount": None, "price": None}
        assert made.limits["amount"] == {"min": None, "max": None}
        assert (made.maker, made.taker, made.type, made.state) == (None, None, MarketType.SPOT, MarketState.ACTIVE)


@pytest.mark.parametrize(
    ("value", "mode", "size"),
    [
        (8, PrecisionMode.DECIMAL_PLACES, "0.00000001"),
        (0, PrecisionMode.DECIMAL_PLACES, "1"),
        (2.0, PrecisionMode.DECIMAL_PLACES, "0.01"),
        (-2, PrecisionMode.DECIMAL_PLACES, "100"),
        ("3", PrecisionMode.DECIMAL_PLACES, "0.001"),
        (1e-08, PrecisionMode.TICK_SIZE, "0.00000001"),
        (0.1, PrecisionMode.TICK_SIZE, "0.1"),
        (0.30000000000000004, PrecisionMode.TICK_SIZE, "0.30000000000000004"),
        ("0.0250", PrecisionMode.TICK_SIZE, "0.025"),
        (1e21, PrecisionMode.TICK_SIZE, "1" + "0" * 21),
        (50, PrecisionMode.TICK_SIZE, "50"),
        (None, PrecisionMode.TICK_SIZE, None),
        (5, PrecisionMode.SIGNIFICANT_DIGITS, None),
    ],
)
def test_precision_as_tick_size(value: Any, mode: PrecisionMode, size: str | None) -> None:
    assert tick_size(value, mode) == size


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        (1.5, PrecisionMode.DECIMAL_PLACES),
        (19, PrecisionMode.DECIMAL_PLACES),
        (-19, PrecisionMode.DECIMAL_PLACES),
        (True, PrecisionMode.DECIMAL_PLACES),
        ("", PrecisionMode.DECIMAL_PLACES),
        ("1_0", PrecisionMode.DECIMAL_PLACES),
        ([], PrecisionMode.TICK_SIZE),
        (0, PrecisionMode.TICK_SIZE),
        (-0.1, PrecisionMode.TICK_SIZE),
        (1e-19, PrecisionMode.TICK_SIZE),
        (float("inf"), PrecisionMode.TICK_SIZE),
        ("NaN", PrecisionMode.TICK_SIZE),
        ("1e999999999", PrecisionMode.TICK_SIZE),
        ("1e-999999999", PrecisionMode.TICK_SIZE),
        (10**400, PrecisionMode.TICK_SIZE),
        (0, PrecisionMode.SIGNIFICANT_DIGITS),
        (2.5, PrecisionMode.SIGNIFICANT_DIGITS),
    ],
)
def test_precision_that_is_none_is_refused(value: Any, mode: PrecisionMode) -> None:
    with pytest.raises(ValueError, match=r"must be|more than"):
        tick_size(value, mode)


def test_significant_digits_are_kept_as_such() -> None:
    made = taken({**ADA, "precision": {"amount": 8, "price": 5}}, mode=PrecisionMode.SIGNIFICANT_DIGITS)
    assert made.precision == {"amount": None, "price": None}
    assert made.significant_digits == {"amount": 8, "price": 5}
    assert significant_digits(5, PrecisionMode.TICK_SIZE) is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": None}, "symbol-missing"),
        ({"symbol": 5}, "symbol-invalid"),
        ({"symbol": "ADAUSDT"}, "symbol-invalid"),
        ({"symbol": "ADA/USDT\x00"}, "symbol-invalid"),
        ({"symbol": "\ud800/USDT"}, "symbol-invalid"),
        ({"symbol": "A" * 80 + "/USDT"}, "symbol-invalid"),
        ({"symbol": "XRP/USDT"}, "symbol-mismatch"),
        ({"base": None}, "base-missing"),
        ({"base": 7}, "base-invalid"),
        ({"base": "XRP"}, "base-mismatch"),
        ({"quote": None}, "quote-missing"),
        ({"quote": "USD"}, "quote-mismatch"),
        ({"settle": "USDT"}, "settle-mismatch"),
        ({"type": "lottery"}, "type-unknown"),
        ({"type": ["spot"]}, "type-unknown"),
        ({"type": "swap"}, "type-mismatch"),
        ({"type": None, "spot": True, "swap": True}, "type-missing"),
        ({"precision": 5}, "precision-invalid"),
        ({"precision": {"amount": "many"}}, "precision-invalid"),
        ({"limits": []}, "limits-invalid"),
        ({"limits": {"amount": 5}}, "limits-invalid"),
        ({"limits": {"cost": {"min": -1}}}, "limits-invalid"),
        ({"limits": {"cost": {"max": "x"}}}, "limits-invalid"),
        ({"maker": 2}, "fee-invalid"),
        ({"taker": "free"}, "fee-invalid"),
        ({"active": "yes"}, "active-invalid"),
        ({"expiry": "soon"}, "expiry-invalid"),
        ({"expiry": 1e300}, "expiry-invalid"),
    ],
)
def test_unusable_market_is_refused_with_a_code(change: dict[str, Any], code: str) -> None:
    refused = read({**ADA, **change})
    assert isinstance(refused, Rejection)
    assert (refused.symbol, refused.code) == ("ADA/USDT", code)
    assert refused.detail.endswith(".")


@pytest.mark.parametrize("market", [None, 5, "ADA/USDT", []])
def test_market_that_is_no_object_is_refused(market: Any) -> None:
    assert read(market) == Rejection("ADA/USDT", "not-an-object", "A market is an object.")


def test_name_that_cannot_be_shown_is_cut_and_cleaned() -> None:
    refused = read({}, name="A\x00\ud800" + "B" * 200)
    assert isinstance(refused, Rejection)
    assert refused.symbol == "A??" + "B" * 97


def test_symbol_twice_in_one_list_is_taken_once() -> None:
    reader = MarketReader("binance", PrecisionMode.DECIMAL_PLACES, NOW)
    first, second = (reader.read(None, market) for _, market in named_markets([ADA, ADA]))
    assert isinstance(first, Market)
    assert isinstance(second, Rejection)
    assert second.code == "duplicate-symbol"


def test_negative_maker_fee_is_a_rebate() -> None:
    assert taken({**ADA, "maker": -0.00025}).maker == "-0.00025"


def test_inactive_market_is_halted() -> None:
    assert taken({**ADA, "active": False}).state is MarketState.HALTED


def test_contract_names_what_it_settles_in_and_ends() -> None:
    made = taken(swap(type=None, swap=True, spot=False), "BTC/USDT:USDT")
    assert (made.type, made.settle, made.pair_id) == (MarketType.SWAP, "USDT", "binance:BTC-USDT:USDT")
    ended = NOW - timedelta(days=1)
    future = swap(symbol="BTC/USDT:USDT-261122", type="future", expiry=int(ended.timestamp() * 1000))
    made = taken(future, None)
    assert (made.state, made.delist_at) == (MarketState.DELISTED, ended)
    assert made.pair_id == "binance:BTC-USDT:USDT-261122"


@pytest.mark.parametrize(("exchange", "mode"), [("binance", "DECIMAL_PLACES"), ("kraken", "TICK_SIZE")])
def test_real_markets_are_all_taken(exchange: str, mode: str) -> None:
    source = json.loads((DATA / f"markets-{exchange}.json").read_text())
    reader = MarketReader(exchange, PrecisionMode(mode), NOW)
    made = [reader.read(name, market) for name, market in named_markets(source["markets"])]
    assert all(isinstance(market, Market) for market in made)
    assert len(made) == len(source["markets"])


@pytest.mark.parametrize(
    ("symbol", "identifier"),
    [
        ("BTC/USDT", "binance:BTC-USDT"),
        ("BTC/USDT:USDT", "binance:BTC-USDT:USDT"),
        ("BTC/USD:BTC-260327-100000-C", "binance:BTC-USD:BTC-260327-100000-C"),
        ("A-B/USDT", "binance:A~2DB-USDT"),
        ("币/USDT", "binance:~E5~B8~81-USDT"),
    ],
)
def test_pair_id_of_a_symbol(symbol: str, identifier: str) -> None:
    assert pair_id("binance", symbol) == identifier
    assert parse_pair_id(identifier) == ("binance", symbol)


CODE = st.text(st.characters(blacklist_categories=("C", "Z"), blacklist_characters="/:"), min_size=1, max_size=12)
SYMBOLS = st.one_of(
    st.builds("{}/{}".format, CODE, CODE),
    st.builds("{}/{}:{}".format, CODE, CODE, st.text("ABCXYZ", min_size=1, max_size=5)),
).filter(lambda symbol: split_symbol(symbol) is not None)


@given(SYMBOLS, SYMBOLS)
def test_pair_ids_lead_back_and_never_collide(one: str, other: str) -> None:
    identifier = pair_id("kraken", one)
    assert parse_pair_id(identifier) == ("kraken", one)
    assert (identifier == pair_id("kraken", other)) == (one == other)
    assert not set(identifier) & set("/?#% ")


@given(st.text(max_size=40))
def test_made_up_pair_id_is_none_or_leads_back(identifier: str) -> None:
    parsed = parse_pair_id(identifier)
    assert parsed is None or pair_id(*parsed) == identifier
