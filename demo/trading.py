"""Markets, traders, bots, and the performance that comes out of real trades and candles."""

import secrets
from decimal import Decimal
from typing import Any

from demo import inputs
from demo.api import Api, check
from demo.cast import Person, Stage
from demo.show import Show

SAMPLES_PER_BATCH = 500
TRADES_PER_BATCH = 100
CURVE_CAPITAL = Decimal(1)
CHART_POINTS = 120


def import_markets(show: Show, stage: Stage) -> None:
    show.chapter("Markets")
    rows = []
    for exchange in inputs.EXCHANGES:
        body = inputs.markets(exchange)
        with show.step(f"import the markets of {exchange}") as step:
            counts = stage.admin.post("/v1/market-pairs/import", body, status=200)
            done = counts["created"] + counts["updated"] + counts["unchanged"]
            check(
                counts["received"] == len(body["markets"]),
                f"it received {counts['received']} of {len(body['markets'])}",
            )
            check(done == counts["received"] and not counts["rejected"], f"not all were taken: {counts}")
            step.note = f"{counts['created']} created, {counts['updated']} updated, {counts['unchanged']} unchanged"
        rows += list(stage.admin.items("/v1/market-pairs", exchange=exchange))
    shown = [pair for pair in rows if pair["symbol"] in {"BTC/USDT", "ETH/BTC", "NXT/BTC"}]
    show.table(
        ("pair", "state", "amount step", "price step", "taker fee"),
        [
            (pair["pairId"], pair["state"], pair["precision"]["amount"], pair["precision"]["price"], pair["taker"])
            for pair in shown
        ],
    )


def sign_up(show: Show, stage: Stage, base_url: str, name: str) -> Person:
    email = f"{name}-{stage.run}@omnitrade.example"
    password = secrets.token_urlsafe(18)
    anonymous = Api(base_url)
    with show.step(f"{name.title()} signs up and signs in") as step:
        body = {"email": email, "password": password, "displayName": name.title()}
        user = anonymous.post("/v1/users", body, status=201)
        api = anonymous.signed_in(email, password)
        check(api.get("/v1/users/me")["userId"] == user["userId"], "the token is somebody else's")
        step.note = email
    stage.people[name] = Person(name, email, password, api, user["userId"])
    return stage.people[name]


def link_account(show: Show, person: Person) -> None:
    key = secrets.token_hex(16)
    with show.step(f"{person.name.title()} links a Binance account") as step:
        body = {"exchangeName": "binance", "apiKey": key, "apiSecret": secrets.token_hex(24), "accountNickname": "main"}
        account = person.api.post("/v1/exchange-accounts", body, status=201)
        check(account["keyHint"] == key[-4:], f"the hint {account['keyHint']} is not the key's end")
        check(key not in str(account), "the answer shows the key")
        person.account_id = account["accountId"]
        step.note = f"key …{account['keyHint']}, {'verified' if account['isValid'] else 'not verified yet'}"


def bot_request(stage: Stage, name: str, pair: str, capital: Decimal, currency: str) -> dict[str, Any]:
    return {
        "exchangeAccountId": stage.trader.account_id,
        "marketPair": pair,
        "name": f"{name} {stage.run}",
        "strategy": {"name": name, "version": "1.0.0", "params": {"timeframe": "5m"}},
        "mode": "paper",
        "initialCapital": {"amount": inputs.text(capital), "currency": currency},
    }


def create_bots(show: Show, stage: Stage) -> None:
    show.chapter("Bots")
    trades = inputs.trades()
    wanted = {
        "back-test": bot_request(stage, "back-test", "ETH/BTC", trades.capital, trades.currency),
        "holder": bot_request(stage, "holder", "ETC/BTC", CURVE_CAPITAL, "BTC"),
    }
    for name, body in wanted.items():
        with show.step(f"create and start the {name} bot") as step:
            bot = stage.trader.api.post("/v1/bots", body, status=201)
            check(bot["exchange"] == "binance", f"the account's exchange was not copied: {bot['exchange']}")
            started = stage.trader.api.post(f"/v1/bots/{bot['botId']}/start", {"reason": "demo"}, status=200)
            check(started["status"] == "running", f"its status is {started['status']}")
            stage.bots[name] = started
            step.note = f"{bot['exchange']} {bot['marketPair']}, user, account and pair validated, running"


def feed(show: Show, stage: Stage) -> None:
    show.chapter("Performance")
    trades = inputs.trades()
    with show.step(f"feed {len(trades.bodies)} real trades into back-test") as step:
        batches = list(inputs.batches(trades.bodies, TRADES_PER_BATCH))
        counts = _post_all(stage, "back-test", "trades", batches)
        check(counts["created"] == len(trades.bodies), f"not all were new: {counts}")
        step.note = f"{len(batches)} batches"
    curve = inputs.curve(CURVE_CAPITAL)
    with show.step(f"feed {len(curve.samples):,} equity samples into holder") as step:
        batches = list(inputs.batches(curve.samples, SAMPLES_PER_BATCH))
        counts = _post_all(stage, "holder", "samples", [*reversed(batches)])
        check(counts["created"] == len(curve.samples), f"not all were new: {counts}")
        step.note = f"{len(batches)} batches, the last one first"
    with show.step("feed one of the batches again") as step:
        counts = _post_all(stage, "holder", "samples", batches[:1])
        check(counts["unchanged"] == SAMPLES_PER_BATCH, f"a repetition changed something: {counts}")
        step.note = f"{counts['unchanged']} unchanged"


def _post_all(stage: Stage, bot: str, kind: str, batches: list[Any]) -> dict[str, int]:
    path = f"/v1/bots/{stage.bots[bot]['botId']}/performance/{kind}"
    totals: dict[str, int] = {"received": 0, "created": 0, "updated": 0, "unchanged": 0}
    for batch in batches:
        answer = stage.trader.api.post(path, {kind: batch}, status=200)
        for name in totals:
            totals[name] += answer[name]
    return totals


def show_performance(show: Show, stage: Stage) -> None:
    trades, curve = inputs.trades(), inputs.curve(CURVE_CAPITAL)
    api = stage.trader.api
    with show.step("performance of back-test is what the trades add up to") as step:
        traded = api.get(f"/v1/bots/{stage.bots['back-test']['botId']}/performance")
        check(Decimal(traded["netPnl"]) == trades.net, f"net {traded['netPnl']}, the trades' sum is {trades.net}")
        rate = trades.wins / (trades.wins + trades.losses)
        check(abs(float(traded["winRate"]) - rate) < 1e-9, f"win rate {traded['winRate']}, counted {rate}")
        step.note = f"net {traded['netPnl']} {traded['currency']}"
    with show.step("performance of holder is what the candles give") as step:
        held = api.get(f"/v1/bots/{stage.bots['holder']['botId']}/performance")
        expected = curve.last_equity - CURVE_CAPITAL
        check(Decimal(held["netPnl"]) == expected, f"net {held['netPnl']}, the curve gives {expected}")
        step.note = f"net {held['netPnl']} {held['currency']}"
    names = ("netPnl", "realizedPnl", "fees", "roi", "sharpe", "sortino", "winRate", "profitFactor", "sqn")
    rows = [(name, _figure(traded, name), _figure(held, name)) for name in names]
    rows.append(("maxDrawdown", _drawdown(traded), _drawdown(held)))
    show.table(("figure", "back-test", "holder"), rows)
    with show.step("history of holder at a few points") as step:
        path = f"/v1/bots/{stage.bots['holder']['botId']}/performance/history"
        points = list(api.items(path))
        check(len(points) == len(curve.samples), f"{len(points)} points of {len(curve.samples)}")
        step.note = f"{len(points):,} points read"
    every = points[:: max(1, len(points) // CHART_POINTS)]
    labels = [point["ts"][5:10] for point in every]
    show.chart("equity of holder, BTC", labels, [float(point["equity"]) for point in every])


def _figure(figures: dict[str, Any], name: str) -> str:
    value = figures.get(name)
    if value is None:
        return f"undefined: {figures.get('undefined', {}).get(name, '?')}"
    return value if isinstance(value, str) else f"{value:.6g}"


def _drawdown(figures: dict[str, Any]) -> str:
    drawdown = figures["maxDrawdown"]
    return _figure(figures, "maxDrawdown") if drawdown is None else f"{float(drawdown['relative']):.2%}"
