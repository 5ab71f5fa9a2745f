"""Whoever wins the race of a create and a delete starts later the next time."""

import pytest

from bench.races import HEAD_START_MAX_S, HEAD_START_STEP_S, HeadStart

WON, LOST = "204", "409 delete-restricted"


def test_a_delete_that_wins_starts_ever_later_until_it_is_refused() -> None:
    head_start, starts = HeadStart(), []
    for told in (WON, WON, WON, LOST, LOST):
        head_start.learn(told)
        starts.append(round(head_start.seconds / HEAD_START_STEP_S, 1))
    assert starts == [-0.5, -1.5, -2.5, -1.5, -0.5]


@pytest.mark.parametrize(("told", "end"), [(WON, -HEAD_START_MAX_S), (LOST, HEAD_START_MAX_S)])
def test_it_is_bounded(told: str, end: float) -> None:
    head_start = HeadStart()
    for _ in range(50):
        head_start.learn(told)
    assert head_start.seconds == end


@pytest.mark.parametrize("told", ["202", "503 unavailable", "404 not-found"])
def test_what_decides_nothing_teaches_nothing(told: str) -> None:
    head_start = HeadStart()
    head_start.learn(told)
    assert head_start == HeadStart()
