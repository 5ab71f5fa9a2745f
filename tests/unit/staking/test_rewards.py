"""Reward arithmetic: the formulas' vectors, and what must hold for every sequence of actions."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staking.domain.rewards import (
    EMISSION_SCALE,
    YEAR_SECONDS,
    Accrual,
    Emission,
    FixedApr,
    RewardTerms,
    advance,
    covered_until_ms,
    drain,
    earned,
    fixed_apr_reward,
    fund,
    penalty,
    start,
    unearned,
    unsettled,
)

OMNI = 10**8
YEAR_MS = YEAR_SECONDS * 1000
FUNDED = 10**6 * OMNI


def opened(terms: RewardTerms, budget: int = FUNDED) -> Accrual:
    return start(terms, fund(terms, Accrual(), budget, started=False))


def after(terms: RewardTerms, accrual: Accrual, staked: int, elapsed_ms: int) -> Accrual:
    return advance(terms, accrual, staked, accrual.at_ms + elapsed_ms)


@pytest.mark.parametrize(
    ("principal", "apr_bps", "seconds", "reward"),
    [
        (50 * OMNI, 1200, 86_400, 1_643_835),
        (1_000 * OMNI, 1200, YEAR_SECONDS, 120 * OMNI),
        (1, 10_000, YEAR_SECONDS, 1),
        (1, 9_999, YEAR_SECONDS, 0),
        (100 * OMNI, 0, YEAR_SECONDS, 0),
    ],
)
def test_fixed_apr_is_the_formula_and_so_is_the_index(principal: int, apr_bps: int, seconds: int, reward: int) -> None:
    terms = FixedApr(apr_bps)
    assert fixed_apr_reward(principal, apr_bps, seconds) == reward
    grown = after(terms, opened(terms), principal, seconds * 1000)
    assert earned(terms, principal, 0, grown.index) == reward


def test_fraction_of_a_settlement_is_carried_to_the_next() -> None:
    terms, principal = FixedApr(1200), 7 * OMNI
    accrual, settled = opened(terms), 0
    for _ in range(1_000):
        accrual = after(terms, accrual, principal, 1_001)
        settled += unsettled(terms, principal, 0, accrual.index, settled)
    assert settled == principal * 1200 * 1_001 // (10_000 * YEAR_SECONDS)


def test_emission_is_shared_in_proportion_and_joining_takes_nothing_back() -> None:
    terms = Emission(rate_per_second=1_000)
    alone = after(terms, opened(terms), 100, 10_000)
    assert earned(terms, 100, 0, alone.index) == 10_000
    both = after(terms, alone, 400, 10_000)
    assert earned(terms, 100, 0, both.index) == 10_000 + 2_500
    assert earned(terms, 300, alone.index, both.index) == 7_500


def test_nothing_is_emitted_while_nothing_is_staked() -> None:
    terms = Emission(rate_per_second=1_000)
    idle = after(terms, opened(terms), 0, 60_000)
    assert (idle.index, unearned(terms, idle)) == (0, FUNDED)


def test_emission_stops_at_the_end_of_its_period() -> None:
    terms = Emission(period_seconds=100)
    over = after(terms, opened(terms, 1_000), 10, 250_000)
    assert earned(terms, 10, 0, over.index) == 1_000
    assert after(terms, over, 10, 250_000).index == over.index


def test_new_funding_in_a_running_period_spreads_what_was_left_with_it() -> None:
    terms = Emission(period_seconds=100)
    half = after(terms, opened(terms, 1_000), 10, 50_000)
    again = fund(terms, half, 1_007, started=True)
    assert (again.rate, again.ends_at_ms) == ((500 + 1_007) // 100, half.at_ms + 100_000)
    spent = after(terms, again, 10, 100_000)
    assert unearned(terms, spent) == 7


def test_spent_budget_stops_what_is_earned_and_new_funding_goes_on_from_then() -> None:
    terms, principal = FixedApr(10_000), 100 * OMNI
    spent = after(terms, opened(terms, 10 * OMNI), principal, YEAR_MS)
    assert earned(terms, principal, 0, spent.index) == 10 * OMNI
    waiting = after(terms, spent, principal, YEAR_MS)
    assert waiting.index == spent.index
    funded = after(terms, fund(terms, waiting, 5 * OMNI, started=True), principal, YEAR_MS // 100)
    assert earned(terms, principal, 0, funded.index) == 11 * OMNI


def test_drained_pool_keeps_what_was_earned_and_earns_no_more() -> None:
    terms = Emission(rate_per_second=1_000)
    grown = after(terms, opened(terms), 10, 1_000)
    assert after(terms, drain(grown), 10, 1_000).index == grown.index


def test_budget_covers_until_it_is_spent() -> None:
    terms, principal = FixedApr(10_000), 100 * OMNI
    accrual = opened(terms, 10 * OMNI)
    until = covered_until_ms(terms, accrual, principal)
    assert until == YEAR_MS // 10
    assert covered_until_ms(terms, accrual, 0) is None
    assert covered_until_ms(FixedApr(0), accrual, principal) is None
    emission = opened(Emission(rate_per_second=10), 1_000)
    assert covered_until_ms(Emission(rate_per_second=10), emission, 5) == 100_000
    assert covered_until_ms(Emission(period_seconds=50), opened(Emission(period_seconds=50)), 5) == 50_000


@pytest.mark.parametrize(
    ("principal", "bps", "cost"), [(10_000, 500, 500), (19, 500, 0), (100 * OMNI, 10_000, 100 * OMNI), (33, 3_333, 10)]
)
def test_penalty_is_the_stated_share_rounded_down(principal: int, bps: int, cost: int) -> None:
    assert penalty(principal, bps) == cost


def test_clock_that_goes_back_changes_nothing() -> None:
    terms = FixedApr(1200)
    grown = after(terms, opened(terms), OMNI, 5_000)
    assert advance(terms, grown, OMNI, 4_999) == grown


@dataclass
class Stake:
    principal: int
    index_from: int
    settled: int = 0


@dataclass
class Pool:
    """A pool's books kept by the arithmetic alone: what the ledger does, without a store."""

    terms: RewardTerms
    accrual: Accrual = field(default_factory=Accrual)
    funded: int = 0
    paid: int = 0
    stakes: list[Stake] = field(default_factory=list)

    @property
    def staked(self) -> int:
        return sum(stake.principal for stake in self.stakes)

    def accrued(self) -> list[int]:
        return [
            unsettled(self.terms, stake.principal, stake.index_from, self.accrual.index, stake.settled)
            for stake in self.stakes
        ]

    def wait(self, elapsed_ms: int) -> None:
        self.accrual = advance(self.terms, self.accrual, self.staked, self.accrual.at_ms + elapsed_ms)

    def fund(self, amount: int) -> None:
        self.accrual = fund(self.terms, self.accrual, amount, started=True)
        self.funded += amount

    def join(self, principal: int) -> None:
        self.stakes.append(Stake(principal, self.accrual.index))

    def settle(self, index: int) -> None:
        amount = self.accrued()[index]
        self.stakes[index].settled += amount
        self.paid += amount

    def leave(self, index: int) -> None:
        self.settle(index)
        del self.stakes[index]

    def check(self) -> None:
        dust = self.funded - self.paid - sum(self.accrued())
        assert dust >= 0, "more was promised than funded"
        assert unearned(self.terms, self.accrual) <= dust
        assert self.accrual.reserve >= 0


AMOUNT = st.integers(1, 10**15)
TERMS = st.one_of(
    st.builds(FixedApr, st.integers(0, 10**8)),
    st.builds(Emission, rate_per_second=st.integers(0, 10**12)),
    st.builds(Emission, period_seconds=st.integers(1, 10**8)),
)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(0, 10**10)),
        st.tuples(st.just("fund"), AMOUNT),
        st.tuples(st.just("join"), AMOUNT),
        st.tuples(st.just("settle"), st.integers(0, 5)),
        st.tuples(st.just("leave"), st.integers(0, 5)),
    ),
    max_size=40,
)


def perform(pool: Pool, action: tuple[str, Any]) -> None:
    name, value = action
    if name in ("settle", "leave"):
        if pool.stakes:
            getattr(pool, name)(value % len(pool.stakes))
    else:
        getattr(pool, name)(value)


@settings(max_examples=300, deadline=None)
@given(terms=TERMS, actions=ACTIONS)
def test_paid_and_accrued_and_dust_are_what_was_funded_after_every_action(
    terms: RewardTerms, actions: list[tuple[str, Any]]
) -> None:
    pool = Pool(terms)
    for action in actions:
        index = pool.accrual.index
        perform(pool, action)
        assert pool.accrual.index >= index, "the index fell"
        pool.check()


@settings(max_examples=300, deadline=None)
@given(terms=TERMS, before=ACTIONS, action=ACTIONS.filter(bool).map(lambda actions: actions[0]))
def test_no_action_changes_what_another_has_earned(
    terms: RewardTerms, before: list[tuple[str, Any]], action: tuple[str, Any]
) -> None:
    pool = Pool(terms)
    for one in before:
        perform(pool, one)
    name, value = action
    acting = value % len(pool.stakes) if pool.stakes and name in ("settle", "leave") else None
    others = [accrued for number, accrued in enumerate(pool.accrued()) if number != acting]
    perform(pool, action)
    now = pool.accrued()
    if acting is not None and name == "settle":
        del now[acting]
    kept = now[: len(others)]
    if name == "wait":
        assert all(later >= earlier for later, earlier in zip(kept, others, strict=True)), "what was earned fell"
    else:
        assert kept == others


@settings(max_examples=200, deadline=None)
@given(
    terms=TERMS,
    principal=AMOUNT,
    waits=st.lists(st.integers(0, 10**9), min_size=1, max_size=20),
    settles=st.sets(st.integers(0, 19)),
)
def test_settling_often_or_seldom_comes_to_the_same(
    terms: RewardTerms, principal: int, waits: list[int], settles: set[int]
) -> None:
    often, seldom = Pool(terms), Pool(terms)
    for pool in (often, seldom):
        pool.fund(10**17)
        pool.join(principal)
    for number, elapsed_ms in enumerate(waits):
        often.wait(elapsed_ms)
        seldom.wait(elapsed_ms)
        if number in settles:
            often.settle(0)
    often.leave(0)
    seldom.leave(0)
    assert often.paid == seldom.paid


@given(principal=st.integers(0, 9 * 10**18), bps=st.integers(0, 10_000))
def test_penalty_is_never_more_than_the_principal(principal: int, bps: int) -> None:
    assert 0 <= penalty(principal, bps) <= principal


@given(reserve=st.integers(0, 10**30), staked=st.integers(1, 10**18), elapsed_ms=st.integers(0, 10**12))
def test_index_never_grows_beyond_the_reserve(reserve: int, staked: int, elapsed_ms: int) -> None:
    terms = Emission(rate_per_second=10**12)
    begun = replace(opened(terms, 0), reserve=reserve * EMISSION_SCALE)
    assert after(terms, begun, staked, elapsed_ms).reserve >= 0
