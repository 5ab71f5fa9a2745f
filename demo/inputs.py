"""The real files of demo/data, as bodies of requests. Money is Decimal from the file to the wire."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
PLACES = Decimal("1e-18")  # the API keeps money to at most 18 places
SATOSHI = Decimal("1e-8")
EXCHANGES = ("binance", "kraken")
FEE_RATE = Decimal("0.001")


def markets(exchange: str) -> dict[str, Any]:
    """An import request: the exchange's file as it is."""
    content: dict[str, Any] = json.loads((DATA / f"markets-{exchange}.json").read_text())
    return content


@dataclass(frozen=True)
class Trades:
    """The back-test as requests, with the sums that the platform must come to."""

    currency: str
    capital: Decimal
    bodies: list[dict[str, Any]]
    profit: Decimal
    fees: Decimal
    wins: int
    losses: int

    @property
    def net(self) -> Decimal:
        return self.profit - self.fees


def trades() -> Trades:
    """`profit` is gross; a trade's fee is taken at its opening and at its closing from the value then."""
    document = json.loads((DATA / "trades.json").read_text(), parse_float=Decimal)
    bodies = []
    profits, fees = [], []
    for trade in document["trades"]:
        opened, closed = Decimal(trade["open_rate"]), Decimal(trade["close_rate"])
        amount = Decimal(trade["amount"])
        fee = money(amount * (opened * trade["fee_open"] + closed * trade["fee_close"]))
        profit = money(Decimal(trade["profit_abs"]))
        profits.append(profit)
        fees.append(fee)
        bodies.append(
            {
                "tradeId": f"{trade['pair']}@{trade['open_timestamp']}",
                "marketPair": trade["pair"],
                "side": "short" if trade["is_short"] else "long",
                "openedAt": timestamp(trade["open_timestamp"]),
                "closedAt": timestamp(trade["close_timestamp"]),
                "amount": text(money(amount)),
                "openPrice": text(money(opened)),
                "closePrice": text(money(closed)),
                "fee": text(fee),
                "profit": text(profit),
            }
        )
    nets = [profit - fee for profit, fee in zip(profits, fees, strict=True)]
    return Trades(
        currency=document["currency"],
        capital=Decimal(document["startingBalance"]),
        bodies=bodies,
        profit=sum(profits, Decimal(0)),
        fees=sum(fees, Decimal(0)),
        wins=sum(net > 0 for net in nets),
        losses=sum(net < 0 for net in nets),
    )


@dataclass(frozen=True)
class Curve:
    """Samples of a position bought with the whole capital at the first candle and marked to market with every one."""

    samples: list[dict[str, Any]]
    fee: Decimal
    last_equity: Decimal


def curve(capital: Decimal) -> Curve:
    with (DATA / "candles-1m.csv").open(newline="") as file:
        candles = list(csv.DictReader(file))
    first = Decimal(candles[0]["close"])
    value = (capital / (1 + FEE_RATE)).quantize(SATOSHI, ROUND_DOWN)
    fee = capital - value  # so that value and fee are the capital
    units = value / first
    samples = []
    equity = capital
    for number, candle in enumerate(candles):
        equity = money(units * Decimal(candle["close"]))
        bought = number == 0
        samples.append(
            {
                "ts": timestamp(int(candle["ts_ms"])),
                "equity": text(equity),
                "realizedPnl": "0",
                "unrealizedPnl": text(equity - value),
                "fees": text(fee) if bought else "0",
                "volume": text(value) if bought else "0",
                "cashFlow": "0",
                "seq": number,
            }
        )
    return Curve(samples=samples, fee=fee, last_equity=equity)


def batches(items: Sequence[dict[str, Any]], size: int) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def timestamp(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def money(value: Decimal) -> Decimal:
    return value.quantize(PLACES, ROUND_HALF_EVEN)


def text(value: Decimal) -> str:
    """A decimal string without an exponent."""
    return f"{value:f}"
