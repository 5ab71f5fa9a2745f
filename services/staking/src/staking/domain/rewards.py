"""Reward arithmetic, in integers of 1e-8 OMNI, rounded down everywhere.

A pool keeps one growing index: what one staked unit has earned since the pool began, in 1/scale of a unit. A stake
has earned its principal times the growth of the index since it joined, so an operation costs the same whatever the
number of stakes, and the fraction that rounding cuts off is not lost: it is part of the next difference.

`reserve` is the part of the budget that nobody has earned yet. The index grows only as far as the reserve reaches, so
what is earned is always covered: a pool whose budget is spent stops earning until it is funded again, and owes nothing
that it lacks.
"""

from dataclasses import dataclass, replace

BPS = 10_000
SECOND_MS = 1_000
YEAR_SECONDS = 31_536_000
FIXED_APR_SCALE = BPS * YEAR_SECONDS * SECOND_MS
EMISSION_SCALE = 10**18


@dataclass(frozen=True, slots=True)
class FixedApr:
    """A yearly rate in basis points of the principal, for as long as the budget lasts."""

    apr_bps: int

    @property
    def scale(self) -> int:
        return FIXED_APR_SCALE


@dataclass(frozen=True, slots=True)
class Emission:
    """A rate shared by all stakes in proportion. Either `rate_per_second` is given and runs until the budget is spent,
    or each funding is spread over `period_seconds` from then on."""

    rate_per_second: int | None = None
    period_seconds: int | None = None

    @property
    def scale(self) -> int:
        return EMISSION_SCALE


RewardTerms = FixedApr | Emission


@dataclass(frozen=True, slots=True)
class Accrual:
    """Where a pool's rewards stand at `at_ms`. `reserve` is in 1/scale units; `rate` (units a second) and `ends_at_ms`
    are those of the running emission period."""

    index: int = 0
    at_ms: int = 0
    reserve: int = 0
    rate: int = 0
    ends_at_ms: int | None = None


def advance(terms: RewardTerms, accrual: Accrual, staked: int, now_ms: int) -> Accrual:
    """The accrual at `now_ms`, with `staked` units in the pool since `at_ms`. A time before `at_ms` changes nothing."""
    if now_ms <= accrual.at_ms:
        return accrual
    growth = _growth(terms, accrual, staked, now_ms)
    return replace(accrual, index=accrual.index + growth, at_ms=now_ms, reserve=accrual.reserve - staked * growth)


def _growth(terms: RewardTerms, accrual: Accrual, staked: int, now_ms: int) -> int:
    if staked == 0:
        return 0
    if isinstance(terms, FixedApr):
        growth = terms.apr_bps * (now_ms - accrual.at_ms)
    else:
        until_ms = now_ms if accrual.ends_at_ms is None else min(now_ms, accrual.ends_at_ms)
        elapsed_ms = max(0, until_ms - accrual.at_ms)
        growth = elapsed_ms * accrual.rate * EMISSION_SCALE // (SECOND_MS * staked)
    return min(growth, accrual.reserve // staked)


def start(terms: RewardTerms, accrual: Accrual) -> Accrual:
    """The accrual of a pool that opens at `at_ms`: an emission begins to run."""
    if isinstance(terms, FixedApr):
        return accrual
    if terms.period_seconds is None:
        return replace(accrual, rate=terms.rate_per_second or 0)
    rate = accrual.reserve // EMISSION_SCALE // terms.period_seconds
    return replace(accrual, rate=rate, ends_at_ms=accrual.at_ms + terms.period_seconds * SECOND_MS)


def fund(terms: RewardTerms, accrual: Accrual, amount: int, *, started: bool) -> Accrual:
    """The accrual after `amount` came into the budget at `at_ms`. What was left of a running period is spread anew
    together with it: rate = (reward + left) / period, and the division's remainder stays in the reserve."""
    funded = replace(accrual, reserve=accrual.reserve + amount * terms.scale)
    return start(terms, funded) if started else funded


def drain(accrual: Accrual) -> Accrual:
    """The accrual of a pool whose budget was given back: nothing more will be earned."""
    return replace(accrual, reserve=0, rate=0)


def earned(terms: RewardTerms, principal: int, index_from: int, index_to: int) -> int:
    """What a stake has earned between two values of the index, rounded down; never negative."""
    return principal * max(0, index_to - index_from) // terms.scale


def unsettled(terms: RewardTerms, principal: int, index_from: int, index_to: int, settled: int) -> int:
    """What was earned and is not settled yet. Settling often or seldom comes to the same sum."""
    return max(0, earned(terms, principal, index_from, index_to) - settled)


def unearned(terms: RewardTerms, accrual: Accrual) -> int:
    """The whole units of the budget that nobody has earned."""
    return accrual.reserve // terms.scale


def covered_until_ms(terms: RewardTerms, accrual: Accrual, staked: int) -> int | None:
    """Until when the budget pays what is staked now, if nothing changes; None for ever, or while nothing is staked."""
    if isinstance(terms, FixedApr):
        speed = staked * terms.apr_bps
        return None if speed == 0 else accrual.at_ms + accrual.reserve // speed
    if accrual.ends_at_ms is not None:
        return accrual.ends_at_ms
    if staked == 0 or accrual.rate == 0:
        return None
    return accrual.at_ms + accrual.reserve * SECOND_MS // (accrual.rate * EMISSION_SCALE)


def fixed_apr_reward(principal: int, apr_bps: int, seconds: int) -> int:
    """principal · aprBps · seconds / (10000 · 31 536 000), rounded down."""
    return principal * apr_bps * seconds // (BPS * YEAR_SECONDS)


def is_spent(terms: RewardTerms, accrual: Accrual, staked: int) -> bool:
    """Whether what is staked would earn now, but the budget has nothing left that could be earned."""
    if staked == 0 or accrual.reserve >= staked:
        return False
    if isinstance(terms, FixedApr):
        return terms.apr_bps > 0
    return accrual.rate > 0 and (accrual.ends_at_ms is None or accrual.at_ms < accrual.ends_at_ms)


def penalty(principal: int, penalty_bps: int) -> int:
    """What leaving early costs, rounded down in favour of who leaves; payout + penalty = principal."""
    return principal * penalty_bps // BPS
