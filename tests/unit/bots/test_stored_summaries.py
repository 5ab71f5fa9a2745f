"""Summaries as they are stored, and the checkpoints that are kept of them."""

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from bots.domain.checkpoints import DAYS_KEPT, MONTHS_KEPT, MS_PER_DAY, Checkpoints, begins_day, day_start_ms
from bots.domain.money import UNIT
from bots.domain.samples import Sample, hour_of
from bots.domain.segments import day_segment, extend, segment_of
from bots.domain.summary_codec import (
    decode_curve,
    decode_segment,
    decode_totals,
    decode_trades,
    encode_curve,
    encode_segment,
    encode_totals,
    encode_trades,
)
from bots.domain.trades import Trade, extend_trades

FIRST_MINUTE = 29_460_000
SAMPLES = st.lists(st.tuples(st.integers(1, 3000), st.integers(-5, 10**20), st.integers(0, 3)), min_size=1, max_size=30)
TRADES = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 300), st.integers(-(10**20), 10**20)), min_size=1, max_size=30
)


def samples_of(drawn: list[tuple[int, int, int]]) -> list[Sample]:
    minute, made = FIRST_MINUTE, []
    for apart, equity, flow in drawn:
        minute += apart
        made.append(Sample(minute, 1, equity, equity, -equity, flow, equity * equity, flow if flow < equity else 0))
    return made


def trades_of(drawn: list[tuple[int, int, int]]) -> list[Trade]:
    closed_ms, made = FIRST_MINUTE * 60_000, []
    for number, (apart, length, profit) in enumerate(drawn):
        closed_ms += apart * 3_600_000
        opened_ms = closed_ms - length * 3_600_000
        made.append(Trade(closed_ms, f"{number:03}", opened_ms, UNIT, UNIT, UNIT, abs(profit) // 3, profit))
    return made


@given(SAMPLES)
def test_hours_come_back_as_they_were_stored(drawn: list[tuple[int, int, int]]) -> None:
    for _, group in groupby(samples_of(drawn), lambda one: hour_of(one.minute)):
        hour = segment_of(list(group))
        curve = decode_curve(encode_curve(hour.curve)) if hour.curve else None
        assert day_segment(decode_totals(encode_totals(hour.totals)), curve) == hour


@given(SAMPLES)
def test_segments_come_back_as_they_were_stored(drawn: list[tuple[int, int, int]]) -> None:
    hours = groupby(samples_of(drawn), lambda one: hour_of(one.minute))
    whole = extend(None, [segment_of(list(group)) for _, group in hours], UNIT)
    assert whole is not None
    assert decode_segment(encode_segment(whole)) == whole


@given(TRADES)
def test_summaries_of_trades_come_back_as_they_were_stored(drawn: list[tuple[int, int, int]]) -> None:
    whole = extend_trades(None, trades_of(drawn), UNIT)
    assert whole is not None
    assert decode_trades(encode_trades(whole)) == whole


@given(st.lists(st.integers(0, 900), min_size=1, max_size=200, unique=True))
def test_checkpoints_are_days_and_months_and_few(days: list[int]) -> None:
    checkpoints = Checkpoints([])
    last_ms: int | None = None
    for day in sorted(days):
        now_ms = day * MS_PER_DAY + 5
        if last_ms is not None and begins_day(last_ms, now_ms):
            checkpoints.keep(now_ms, {"last": last_ms})
            checkpoints.keep(now_ms, {"last": last_ms})
        last_ms = now_ms
    moments = [one.before_ms for one in checkpoints.kept]
    assert moments == sorted(set(moments))
    assert len(moments) <= DAYS_KEPT + MONTHS_KEPT
    assert moments[-2:] == [day_start_ms(day * MS_PER_DAY) for day in sorted(days)][1:][-2:]
    assert all(one.summary["last"] < one.before_ms for one in checkpoints.kept)


@given(st.integers(0, 100), st.integers(0, 100 * MS_PER_DAY))
def test_a_change_leaves_the_checkpoints_before_it(count: int, changed_ms: int) -> None:
    checkpoints = Checkpoints([])
    for day in range(1, count + 1):
        checkpoints.keep(day * MS_PER_DAY, {})
    checkpoints.changed = False
    before = list(checkpoints.kept)
    last = checkpoints.last_before(changed_ms)
    assert checkpoints.kept == [one for one in before if one.before_ms <= changed_ms]
    assert last == (checkpoints.kept[-1] if checkpoints.kept else None)
    assert checkpoints.changed == (checkpoints.kept != before)
