"""An hour of samples: how deliveries merge, and how it is packed into columns."""

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.domain.money import UNIT
from bots.domain.sample_columns import pack_integers, pack_samples, unpack_integers, unpack_samples
from bots.domain.samples import Sample, by_hour, hour_of, merge

HOUR = 491_000
MONEY = st.one_of(st.integers(-(10**36), 10**36), st.integers(-1000, 1000).map(lambda cents: cents * UNIT // 100))
SAMPLES = st.builds(
    Sample,
    minute=st.integers(HOUR * 60, HOUR * 60 + 59),
    seq=st.integers(0, 5) | st.integers(0, 2**63 - 1),
    equity=MONEY,
    realized=MONEY,
    unrealized=MONEY,
    fees=MONEY,
    volume=MONEY,
    cash_flow=MONEY,
)


def sample(minute: int, seq: int = 1, equity: int = 1000) -> Sample:
    return Sample(HOUR * 60 + minute, seq, equity * UNIT, 0, 0, 0, 0, 0)


@given(st.lists(SAMPLES, min_size=1, max_size=60, unique_by=lambda one: one.minute))
def test_columns_hold_every_sample_exactly(samples: list[Sample]) -> None:
    ordered = sorted(samples)
    assert unpack_samples(HOUR, pack_samples(ordered)) == ordered


@given(st.lists(st.integers(-(10**40), 10**40), min_size=1, max_size=60))
def test_integers_are_packed_exactly(values: list[int]) -> None:
    assert list(unpack_integers(pack_integers(values), len(values))) == values


def test_column_that_does_not_change_has_one_value() -> None:
    assert pack_integers([5 * UNIT] * 60) == "18;5"
    assert pack_integers([0] * 60) == "0;0"
    assert pack_integers([100, 150, 140]) == "1;10 5 -1"


def test_a_full_hour_takes_less_than_a_tenth_of_documents() -> None:
    equities = [1_000_000 + minute * 37 for minute in range(60)]
    samples = [Sample(HOUR * 60 + n, n, e * UNIT // 1000, 0, e * UNIT // 1000, 0, 0, 0) for n, e in enumerate(equities)]
    columns = pack_samples(samples)
    characters = sum(len(str(getattr(columns, name))) for name in columns.__slots__)
    assert characters < 60 * 20


@given(st.lists(SAMPLES, max_size=30), st.lists(st.integers(0, 29), max_size=30), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_ends_in_the_same_samples(
    samples: list[Sample], again: list[int], shuffle: random.Random
) -> None:
    straight = merge({}, samples).samples
    deliveries = samples + [samples[index] for index in again if index < len(samples)]
    shuffle.shuffle(deliveries)
    stored: dict[int, Sample] = {}
    for one in deliveries:
        stored = {kept.minute: kept for kept in merge(stored, [one]).samples}
    assert tuple(stored[minute] for minute in sorted(stored)) == straight


def test_the_greater_seq_wins_whenever_it_comes() -> None:
    old, new = sample(3, seq=1, equity=1000), sample(3, seq=2, equity=900)
    for order in permutations([old, new]):
        assert merge({}, order).samples == (new,)


def test_outcomes_are_counted_per_sample() -> None:
    first = merge({}, [sample(1), sample(2), sample(2, seq=2), sample(1)])
    assert (first.created, first.updated, first.unchanged, first.changed) == (2, 1, 1, True)
    stored = {one.minute: one for one in first.samples}
    again = merge(stored, [sample(1), sample(2), sample(2, seq=2)])
    assert (again.created, again.updated, again.unchanged, again.changed) == (0, 0, 3, False)


@pytest.mark.parametrize(("minute", "hour"), [(0, 0), (59, 0), (60, 1), (HOUR * 60 + 59, HOUR)])
def test_hours_begin_with_their_first_minute(minute: int, hour: int) -> None:
    assert hour_of(minute) == hour
    assert list(by_hour([Sample(minute, 0, 0, 0, 0, 0, 0, 0)])) == [hour]
