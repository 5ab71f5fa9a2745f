"""The demo's requests against the files they are made of, by other arithmetic."""

import json
from decimal import Decimal
from itertools import pairwise

import pytest

from demo import inputs

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def trades() -> inputs.Trades:
    return inputs.trades()


@pytest.fixture(scope="module")
def curve() -> inputs.Curve:
    return inputs.curve(Decimal(1))


def test_all_trades_of_the_back_test_are_sent_once(trades: inputs.Trades) -> None:
    assert len({body["tradeId"] for body in trades.bodies}) == len(trades.bodies) == 179


def test_profit_is_gross_as_price_difference_times_amount(trades: inputs.Trades) -> None:
    for body in trades.bodies:
        gross = Decimal(body["amount"]) * (Decimal(body["closePrice"]) - Decimal(body["openPrice"]))
        assert abs(gross - Decimal(body["profit"])) < Decimal("1e-15")


def test_net_profit_per_trade_is_the_ratio_that_the_back_test_states(trades: inputs.Trades) -> None:
    source = json.loads((inputs.DATA / "trades.json").read_text())["trades"]
    for body, trade in zip(trades.bodies, source, strict=True):
        paid = Decimal(body["amount"]) * Decimal(body["openPrice"]) * (1 + Decimal(str(trade["fee_open"])))
        net = Decimal(body["profit"]) - Decimal(body["fee"])
        assert float(net / paid) == pytest.approx(trade["profit_ratio"], abs=1e-8)


def test_every_trade_wins_or_loses_or_ties(trades: inputs.Trades) -> None:
    nets = [Decimal(body["profit"]) - Decimal(body["fee"]) for body in trades.bodies]
    assert trades.wins + trades.losses + nets.count(Decimal(0)) == 179
    assert trades.net == sum(nets)


def test_money_travels_as_plain_decimals_of_at_most_18_places(trades: inputs.Trades, curve: inputs.Curve) -> None:
    values = [body[name] for body in trades.bodies for name in ("amount", "openPrice", "closePrice", "fee", "profit")]
    values += [sample[name] for sample in curve.samples for name in ("equity", "unrealizedPnl", "fees", "volume")]
    for value in values:
        assert set(value) <= set("0123456789.-")
        assert len(value.partition(".")[2]) <= 18


def test_equity_is_capital_and_profit_less_fees_at_every_candle(curve: inputs.Curve) -> None:
    assert len(curve.samples) == 13_681
    paid = Decimal(0)
    for sample in curve.samples:
        paid += Decimal(sample["fees"])
        assert Decimal(sample["equity"]) == 1 + Decimal(sample["unrealizedPnl"]) - paid


def test_samples_are_of_distinct_minutes_in_order(curve: inputs.Curve) -> None:
    assert all(earlier["ts"] < later["ts"] for earlier, later in pairwise(curve.samples))
    assert all(sample["ts"].endswith(":00.000Z") for sample in curve.samples)


def test_both_exchanges_files_are_import_requests() -> None:
    assert {exchange: len(inputs.markets(exchange)["markets"]) for exchange in inputs.EXCHANGES} == {
        "binance": 14,
        "kraken": 3,
    }


def test_batches_hold_everything_in_order() -> None:
    items = [{"n": number} for number in range(7)]
    assert [list(batch) for batch in inputs.batches(items, 3)] == [items[:3], items[3:6], items[6:]]
