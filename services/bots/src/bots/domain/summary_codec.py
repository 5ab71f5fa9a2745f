"""Summaries as they are stored: plain values that every store keeps, money as decimal strings.

A mark is written `<ms>;<gain>`, with `;<value>` behind it only where money has flowed, since without flows the value
index is the gain. Sums may have more digits than one amount may.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from bots.domain.daily_returns import DailyReturns, Day, ReturnStatistics
from bots.domain.exposure import Exposure
from bots.domain.money import PLACES_MAX, Money, format_money
from bots.domain.segments import Segment, Totals
from bots.domain.trades import Streaks, TradeSummary, TradeTotals
from bots.domain.value_curve import ONE, Curve, Drawdown, Mark, Span

Plain: TypeAlias = dict[str, Any]

_TOTALS = ("firstEquity", "firstFlow", "lastEquity", "minEquity", "maxEquity", "equities")
_SUMS = ("realizedPnl", "unrealizedPnl", "fees", "volume", "flows")


def read_money(text: str) -> Money:
    """What `format_money` wrote, of any size."""
    whole, _, places = text.partition(".")
    return int(f"{whole}{places:0<{PLACES_MAX}}")


def encode_totals(totals: Totals) -> Plain:
    amounts = (
        totals.first_equity,
        totals.first_flow,
        totals.last_equity,
        totals.min_equity,
        totals.max_equity,
        totals.equities,
        totals.realized,
        totals.unrealized,
        totals.fees,
        totals.volume,
        totals.flows,
    )
    named = {name: format_money(amount) for name, amount in zip(_TOTALS + _SUMS, amounts, strict=True)}
    return {"count": totals.count, "firstMs": totals.first_ms, "lastMs": totals.last_ms, **named}


def decode_totals(stored: Mapping[str, Any]) -> Totals:
    amounts = [read_money(stored[name]) for name in _TOTALS + _SUMS]
    return Totals(stored["count"], stored["firstMs"], stored["lastMs"], *amounts)


def encode_curve(curve: Curve) -> Plain:
    stored: Plain = {
        "peak": _mark(curve.peak),
        "low": _mark(curve.low),
        "last": _mark(curve.last),
    }
    if curve.factor != ONE or curve.flows:
        stored |= {"factor": str(curve.factor), "flows": format_money(curve.flows)}
    if curve.highs is not None:
        stored["highs"] = " ".join(map(_mark, curve.highs))
    if curve.worst is not None:
        stored["worst"] = f"{_mark(curve.worst.peak)} {_mark(curve.worst.trough)}"
        if curve.worst.recovered_at_ms is not None:
            stored["recoveredMs"] = curve.worst.recovered_at_ms
    if curve.underwater is not None:
        stored["underwater"] = [curve.underwater.from_ms, curve.underwater.to_ms]
    return stored


def decode_curve(stored: Mapping[str, Any]) -> Curve:
    worst = None
    if "worst" in stored:
        peak, trough = stored["worst"].split(" ")
        worst = Drawdown(_read_mark(peak), _read_mark(trough), stored.get("recoveredMs"))
    return Curve(
        factor=Decimal(stored["factor"]) if "factor" in stored else ONE,
        flows=read_money(stored["flows"]) if "flows" in stored else 0,
        peak=_read_mark(stored["peak"]),
        low=_read_mark(stored["low"]),
        last=_read_mark(stored["last"]),
        highs=tuple(map(_read_mark, stored["highs"].split(" "))) if "highs" in stored else None,
        worst=worst,
        underwater=Span(*stored["underwater"]) if "underwater" in stored else None,
    )


def encode_segment(segment: Segment) -> Plain:
    return {"totals": encode_totals(segment.totals), "days": _encode_days(segment.days), **_of_curve(segment.curve)}


def decode_segment(stored: Mapping[str, Any]) -> Segment:
    return Segment(decode_totals(stored["totals"]), _read_curve(stored), _decode_days(stored["days"]))


def encode_trades(summary: TradeSummary) -> Plain:
    totals, streaks, exposure = summary.totals, summary.totals.streaks, summary.totals.exposure.settled()
    counts = {"wins": totals.wins, "losses": totals.losses, "ties": totals.ties}
    amounts = {"won": totals.won, "lost": totals.lost, "profits": totals.profits, "fees": totals.fees}
    stored: Plain = {
        **counts,
        **{name: format_money(amount) for name, amount in amounts.items()},
        "equities": format_money(totals.equities),
        "squares": str(totals.squares),
        "values": str(totals.values),
        "firstOpenedMs": totals.first_opened_ms,
        "lastClosedMs": totals.last_closed_ms,
        "streaks": [streaks.wins, streaks.losses, streaks.run_sign, streaks.run_length],
        "intervals": [moment for interval in exposure.intervals for moment in interval],
        "settledMs": exposure.settled_ms,
        "days": _encode_days(summary.days),
        **_of_curve(summary.curve),
    }
    if exposure.horizon_ms is not None:
        stored["horizonMs"] = exposure.horizon_ms
    return stored


def decode_trades(stored: Mapping[str, Any]) -> TradeSummary:
    moments = stored["intervals"]
    intervals = tuple(zip(moments[::2], moments[1::2], strict=True))
    totals = TradeTotals(
        wins=stored["wins"],
        losses=stored["losses"],
        ties=stored["ties"],
        won=read_money(stored["won"]),
        lost=read_money(stored["lost"]),
        squares=int(stored["squares"]),
        profits=read_money(stored["profits"]),
        fees=read_money(stored["fees"]),
        values=int(stored["values"]),
        equities=read_money(stored["equities"]),
        first_opened_ms=stored["firstOpenedMs"],
        last_closed_ms=stored["lastClosedMs"],
        streaks=Streaks(*stored["streaks"]),
        exposure=Exposure(intervals, stored["settledMs"], stored.get("horizonMs")),
    )
    return TradeSummary(totals, _read_curve(stored), _decode_days(stored["days"]))


def _mark(mark: Mark) -> str:
    value = "" if mark.value == mark.gain else f";{mark.value}"
    return f"{mark.at_ms};{format_money(mark.gain)}{value}"


def _read_mark(text: str) -> Mark:
    at_ms, gain_text, *value = text.split(";")
    gain = read_money(gain_text)
    return Mark(int(at_ms), Decimal(value[0]) if value else Decimal(gain), gain)


def _of_curve(curve: Curve | None) -> Plain:
    return {"curve": encode_curve(curve)} if curve else {}


def _read_curve(stored: Mapping[str, Any]) -> Curve | None:
    return decode_curve(stored["curve"]) if "curve" in stored else None


def _encode_days(days: DailyReturns) -> Plain:
    stored: Plain = {"first": _encode_day(days.first), "last": _encode_day(days.last)}
    if days.before_last is not None:
        stored["beforeLast"] = format_money(days.before_last)
    if days.inner is not None:
        inner = days.inner
        sums = [inner.mean, inner.deviations, inner.downside, inner.gains, inner.losses]
        stored |= {"count": inner.count, "sums": sums, "growth": str(inner.growth)}
    return stored


def _decode_days(stored: Mapping[str, Any]) -> DailyReturns:
    before_last = read_money(stored["beforeLast"]) if "beforeLast" in stored else None
    inner = None
    if "growth" in stored:
        mean, deviations, downside, gains, losses = map(float, stored["sums"])
        growth = Decimal(stored["growth"])
        inner = ReturnStatistics(stored["count"], mean, deviations, downside, gains, losses, growth)
    return DailyReturns(_decode_day(stored["first"]), _decode_day(stored["last"]), before_last, inner)


def _encode_day(day: Day) -> Plain:
    return {
        "number": day.number,
        "flow": format_money(day.flow),
        "close": format_money(day.close),
        "points": day.points,
    }


def _decode_day(stored: Mapping[str, Any]) -> Day:
    return Day(stored["number"], read_money(stored["flow"]), read_money(stored["close"]), stored["points"])
