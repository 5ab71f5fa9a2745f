"""The real trades and candles of `demo/data` as an engine would deliver them."""

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "demo" / "data"


@dataclass(frozen=True)
class BackTest:
    capital: Decimal
    currency: str
    trades: list[dict[str, Any]]


def moment(milliseconds: int) -> str:
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def real_trades() -> BackTest:
    """`profit_abs` is net: the fee, a share of both sides' values, is added to make it gross. 18 places at most."""
    source = json.loads((DATA / "trades.json").read_text(), parse_float=Decimal)
    trades: list[dict[str, Any]] = []
    for number, trade in enumerate(source["trades"]):
        value = trade["amount"] * (trade["open_rate"] + trade["close_rate"])
        fee = Decimal(f"{value * trade['fee_open']:.18f}")
        trades.append(
            {
                "tradeId": f"trade-{number}",
                "side": "short" if trade["is_short"] else "long",
                "openedAt": moment(int(trade["open_timestamp"])),
                "closedAt": moment(int(trade["close_timestamp"])),
                "amount": f"{trade['amount']:.18f}",
                "openPrice": f"{trade['open_rate']:.18f}",
                "closePrice": f"{trade['close_rate']:.18f}",
                "fee": f"{fee:.18f}",
                "profit": f"{trade['profit_abs'] + fee:.18f}",
                "marketPair": trade["pair"],
            }
        )
    return BackTest(Decimal(source["startingBalance"]), source["currency"], trades)


def real_equity(capital: Decimal, *, count: int | None = None) -> list[tuple[int, Decimal]]:
    """Milliseconds and equity of what the capital buys at the first candle, at each candle's close."""
    with (DATA / "candles-1m.csv").open() as file:
        rows = [(int(row["ts_ms"]), Decimal(row["close"])) for row in csv.DictReader(file)][:count]
    units = capital / rows[0][1]
    return [(at_ms, (units * close).quantize(Decimal("1e-8"))) for at_ms, close in rows]


def samples_of(curve: list[tuple[int, Decimal]], capital: Decimal) -> list[dict[str, Any]]:
    return [
        {
            "ts": moment(at_ms),
            "equity": f"{equity:f}",
            "realizedPnl": "0",
            "unrealizedPnl": f"{equity - capital:f}",
            "fees": "0",
            "volume": "0",
            "cashFlow": "0",
            "seq": number,
        }
        for number, (at_ms, equity) in enumerate(curve)
    ]
