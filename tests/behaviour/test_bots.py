"""Bots: life cycle, events, names, and performance from real trades and candles."""

import csv
import json
import statistics
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from api import Api, pointers, problem
from scenes import DATA, bot, bot_request, exchange_account


def act(api: Api, made: dict[str, Any], action: str) -> Any:
    return api.post(f"/v1/bots/{made['botId']}/{action}", {"reason": f"to {action}"})


def moment(milliseconds: float) -> str:
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_bot_takes_user_and_exchange_from_the_caller_and_the_account(trader: Api) -> None:
    made = bot(trader)
    assert (made["userId"], made["exchange"], made["status"]) == (trader.user_id, "binance", "created")


def test_life_of_a_bot_from_created_to_archived_with_its_events(trader: Api) -> None:
    made = bot(trader)
    for action, status in (
        ("start", "running"),
        ("pause", "paused"),
        ("start", "running"),
        ("stop", "stopped"),
        ("start", "running"),
        ("fail", "error"),
        ("archive", "archived"),
    ):
        answer = act(trader, made, action)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == status
    events = list(trader.items(f"/v1/bots/{made['botId']}/events"))
    transitions = [event for event in events if event.get("reason", "").startswith("to ")]
    assert len(transitions) == 7


def test_illegal_transition_names_what_is_allowed(trader: Api) -> None:
    made = bot(trader)
    document = problem(act(trader, made, "pause"), 409, "illegal-transition")
    assert (document["from"], document["action"]) == ("created", "pause")
    assert set(document["allowed"]) == {"start", "archive"}


def test_start_needs_an_active_user(admin: Api, trader: Api) -> None:
    made = bot(trader)
    admin.made(f"/v1/users/{trader.user_id}/suspend", {"reason": "review"})
    refused = act(trader, made, "start")
    problem(refused, 409, "reference-condition-failed")
    assert trader.fetched(f"/v1/bots/{made['botId']}")["status"] == "created"
    admin.made(f"/v1/users/{trader.user_id}/reactivate", {"reason": "cleared"})
    assert act(trader, made, "start").status_code == 200


def test_live_bot_does_not_start_on_an_account_that_is_not_valid(trader: Api) -> None:
    made = bot(trader, mode="live")
    problem(act(trader, made, "start"), 409, "reference-condition-failed")


def test_name_is_taken_for_its_user_and_free_for_another(trader: Api, stranger: Api) -> None:
    made = bot(trader, name="scalper")
    answer = trader.post("/v1/bots", bot_request(made["exchangeAccountId"], name="scalper"))
    assert pointers(problem(answer, 409, "already-exists")) == {"/name"}
    bot(stranger, name="scalper")


def test_name_of_an_archived_bot_stays_taken(trader: Api) -> None:
    made = bot(trader, name="old")
    act(trader, made, "archive")
    problem(trader.post("/v1/bots", bot_request(made["exchangeAccountId"], name="old")), 409, "already-exists")


def test_lists_filter_and_page(trader: Api) -> None:
    account = exchange_account(trader)["accountId"]
    made = [bot(trader, account, tags=["grid" if index % 2 else "dca"])["botId"] for index in range(5)]
    assert sorted(item["botId"] for item in trader.items("/v1/bots", limit=2)) == sorted(made)
    assert len(list(trader.items("/v1/bots", tag="grid"))) == 2
    assert len(list(trader.items("/v1/bots", exchangeAccountId=account))) == 5
    assert not list(trader.items("/v1/bots", status="running"))


def real_trades() -> tuple[str, list[dict[str, str]]]:
    source = json.loads((DATA / "trades.json").read_text(), parse_float=Decimal)
    trades = []
    for index, trade in enumerate(source["trades"]):
        cost = trade["amount"] * (trade["open_rate"] + trade["close_rate"]) * trade["fee_open"]
        net = trade["profit_abs"]
        trades.append(
            {
                "tradeId": f"trade-{index}",
                "side": "short" if trade["is_short"] else "long",
                "openedAt": moment(int(trade["open_timestamp"])),
                "closedAt": moment(int(trade["close_timestamp"])),
                "amount": f"{trade['amount']:.18f}",
                "openPrice": f"{trade['open_rate']:.18f}",
                "closePrice": f"{trade['close_rate']:.18f}",
                "fee": f"{cost:.18f}",
                "profit": f"{net + Decimal(f'{cost:.18f}'):.18f}",
                "marketPair": trade["pair"],
            }
        )
    return f"{source['startingBalance']}", trades


def test_real_trades_give_the_performance_that_an_independent_sum_gives(trader: Api) -> None:
    start, trades = real_trades()
    made = bot(trader, marketPair="ETH/USDT", initialCapital={"amount": start, "currency": "BTC"})
    path = f"/v1/bots/{made['botId']}/performance"
    for at in (100, 0):
        answer = trader.made(f"{path}/trades", {"trades": trades[at : at + 100]})
        assert answer["created"] == len(trades[at : at + 100])
    assert trader.made(f"{path}/trades", {"trades": trades[:100]})["unchanged"] == 100

    nets = [Decimal(trade["profit"]) - Decimal(trade["fee"]) for trade in trades]
    wins, losses = [n for n in nets if n > 0], [n for n in nets if n < 0]
    shown = trader.fetched(path)
    assert len(trades) == 179
    assert Decimal(shown["netPnl"]) == sum(nets)
    assert shown["winRate"] == pytest.approx(len(wins) / (len(wins) + len(losses)))
    assert shown["profitFactor"] == pytest.approx(float(sum(wins) / -sum(losses)))
    assert float(shown["roi"]) == pytest.approx(float(sum(nets) / Decimal(start)))
    assert shown["sqn"] == pytest.approx(
        len(nets) ** 0.5 * statistics.mean(map(float, nets)) / statistics.stdev(map(float, nets))
    )


def real_equity(capital: Decimal) -> list[tuple[int, Decimal]]:
    with (DATA / "candles-1m.csv").open() as file:
        rows = [(int(row["ts_ms"]), Decimal(row["close"])) for row in csv.DictReader(file)]
    units = capital / rows[0][1]
    return [(ts, (units * close).quantize(Decimal("1e-8"))) for ts, close in rows]


def test_equity_in_any_order_and_twice_gives_one_curve_and_its_drawdown(trader: Api) -> None:
    capital = Decimal(1000)
    made = bot(trader)
    curve = real_equity(capital)[:3000]
    samples = [
        {
            "ts": moment(ts),
            "equity": str(equity),
            "realizedPnl": "0",
            "unrealizedPnl": f"{equity - capital:f}",
            "fees": "0",
            "volume": "0",
            "cashFlow": "0",
            "seq": index,
        }
        for index, (ts, equity) in enumerate(curve)
    ]
    path = f"/v1/bots/{made['botId']}/performance"
    batches = [samples[at : at + 500] for at in range(0, len(samples), 500)]
    for batch in [*reversed(batches), batches[2]]:
        trader.made(f"{path}/samples", {"samples": batch})

    peak, deepest = capital, 0.0
    for _, equity in curve:
        peak = max(peak, equity)
        deepest = max(deepest, float((peak - equity) / peak))
    shown = trader.fetched(path)
    assert Decimal(shown["netPnl"]) == curve[-1][1] - capital
    assert float(shown["maxDrawdown"]["relative"]) == pytest.approx(deepest)
    points = list(trader.items(f"{path}/history", limit=200))
    assert [point["ts"] for point in points] == sorted({moment(ts - ts % 60_000) for ts, _ in curve})


def test_bot_without_any_figures_has_nulls_with_reasons(trader: Api) -> None:
    shown = trader.fetched(f"/v1/bots/{bot(trader)['botId']}/performance")
    for metric in ("sharpe", "winRate", "profitFactor"):
        assert shown[metric] is None
        assert shown["undefined"][metric]


def test_totals_are_per_currency(trader: Api) -> None:
    account = exchange_account(trader)["accountId"]
    bot(trader, account)
    bot(trader, account, initialCapital={"amount": "1", "currency": "BTC"})
    totals = trader.fetched("/v1/performance", params={"userId": trader.user_id})
    assert {"USDT", "BTC"} == {row["currency"] for row in totals["items"]}
