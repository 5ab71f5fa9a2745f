"""What a pool is to the ledger: its accounts, and how its rewards keep up with every change of them.

`principal` is what is staked in it and `capacity` what more may be; together they are `capacityMax`. `budget` is what
was funded and not paid yet. Names of kinds matter: a movement holds its documents in the order of their kinds, so that
a pool, whose name comes after the others, is held only when nothing else can refuse the movement any more.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from staking.domain.editions import next_edition
from staking.domain.ledger import Account, Movement, Place
from staking.domain.ledger_kinds import AmountField, KindRules
from staking.domain.periods import from_ms, to_ms
from staking.domain.pool import DayIndexes, advance_with_days
from staking.domain.rewards import Accrual, Emission, FixedApr, RewardTerms, drain, fund

POOL = "stakingPool"
ALLOWANCE = "allowance"
FUNDING = "pool-fund"
DRAINING = "pool-drain"

FIXED_APR = "fixed-apr"
EMISSION = "emission"

Fields = Mapping[str, Any]


def terms_of(fields: Fields) -> RewardTerms:
    """The reward terms from a pool's stored fields."""
    if fields["model"] == FIXED_APR:
        return FixedApr(fields["aprBps"])
    return Emission(fields.get("ratePerSecond"), fields.get("emissionSeconds"))


def accrual_of(fields: Fields) -> Accrual:
    """Where a pool's rewards stand, from its stored fields. Index and reserve outgrow 64 bits: they are stored as
    text."""
    ends_at = fields.get("endsAt")
    return Accrual(
        index=int(fields["index"]),
        at_ms=to_ms(fields["accruedAt"]),
        reserve=int(fields["reserve"]),
        rate=fields["rate"],
        ends_at_ms=None if ends_at is None else to_ms(ends_at),
    )


def accrual_fields(accrual: Accrual) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "index": str(accrual.index),
        "accruedAt": from_ms(accrual.at_ms),
        "reserve": str(accrual.reserve),
        "rate": accrual.rate,
    }
    if accrual.ends_at_ms is not None:
        fields["endsAt"] = from_ms(accrual.ends_at_ms)
    return fields


def run_up_to(fields: Fields, now: datetime) -> dict[str, Any]:
    """The fields that change when a pool's rewards run up to `now` with the principal it had since the last change."""
    days = DayIndexes({int(day): int(index) for day, index in fields["dayIndexes"].items()}, fields["distributedDay"])
    accrual, days = advance_with_days(terms_of(fields), accrual_of(fields), days, fields["principal"], to_ms(now))
    return {**accrual_fields(accrual), "dayIndexes": {str(day): str(index) for day, index in days.by_day.items()}}


def changed(fields: Fields, now: datetime) -> dict[str, Any]:
    """What every change of an account does to a pool."""
    return {**run_up_to(fields, now), **next_edition(fields, now)}


def settled(fields: Fields, movement: Movement, now: datetime) -> dict[str, Any]:  # noqa: ARG001 (it ran up to now)
    """What else a settled movement does to a pool: funding is there to be earned, a drained pool earns no more."""
    accrual = accrual_of(fields)
    if movement.kind == FUNDING:
        amount = sum(leg.amount for leg in movement.legs if leg.account.kind == POOL)
        funded = fund(terms_of(fields), accrual, amount, started=fields.get("openedAt") is not None)
        return {**accrual_fields(funded), "funded": fields["funded"] + amount}
    if movement.kind == DRAINING:
        return accrual_fields(drain(accrual))
    return {}


POOL_RULES = KindRules(
    name=POOL,
    amounts=(AmountField("budget"), AmountField("principal"), AmountField("capacity", opening="capacityMax")),
    reads=(
        *("state", "model", "aprBps", "ratePerSecond", "emissionSeconds", "capacityMax", "openedAt", "funded"),
        *("index", "accruedAt", "reserve", "rate", "endsAt", "dayIndexes", "distributedDay", "isDrained", "edition"),
    ),
    on_change=changed,
    on_settle=settled,
)

ALLOWANCE_RULES = KindRules(
    name=ALLOWANCE, amounts=(AmountField("free", opening="limit"), AmountField("used")), reads=("limit",)
)
"""How much of a pool one user has taken (`used`) and may still take (`free`), where the pool limits it."""


def pool_place(pool_id: str) -> Place:
    return Place(POOL, pool_id)


def budget(pool_id: str) -> Account:
    return Account(POOL, pool_id, "budget")


def principal(pool_id: str) -> Account:
    return Account(POOL, pool_id, "principal")


def capacity(pool_id: str) -> Account:
    return Account(POOL, pool_id, "capacity")


def allowance_id(pool_id: str, user_id: str) -> str:
    return f"{pool_id}:{user_id}"


def allowance_free(pool_id: str, user_id: str) -> Account:
    return Account(ALLOWANCE, allowance_id(pool_id, user_id), "free")


def allowance_used(pool_id: str, user_id: str) -> Account:
    return Account(ALLOWANCE, allowance_id(pool_id, user_id), "used")
