"""What stakes, distributions and campaigns are to the ledger.

A stake's `settled` is all it was ever given of what it earned; `claimable` is the part that was not claimed yet. What
is settled in a distribution is guarded by `settledDay`, which only ever grows: a stake is paid once in a period.
"""

from staking.domain.editions import EDITION, next_edition
from staking.domain.ledger import Account, Place
from staking.domain.ledger_kinds import AmountField, KindRules

STAKE = "stake"
DISTRIBUTION = "distribution"
CAMPAIGN = "campaign"

STAKE_RULES = KindRules(
    name=STAKE,
    amounts=(AmountField("claimable"),),
    reads=("state", "settled", "settledDay", "settledThrough", EDITION),
    on_change=next_edition,
)

DISTRIBUTION_RULES = KindRules(name=DISTRIBUTION, amounts=(), reads=("batches", "stakesPaid", "amountPaid"))
"""One period in one pool. It has no account: a movement counts itself there, so that the totals are exact."""

CAMPAIGN_RULES = KindRules(
    name=CAMPAIGN,
    amounts=(AmountField("left"),),
    reads=("state", "returned", EDITION),
    on_change=next_edition,
)


def stake_place(stake_id: str) -> Place:
    return Place(STAKE, stake_id)


def claimable(stake_id: str) -> Account:
    return Account(STAKE, stake_id, "claimable")


def distribution_id(period: str, pool_id: str) -> str:
    """The pool first: the embedded store does not find texts that begin like a date and go on."""
    return f"{pool_id}:{period}"


def distribution_place(period: str, pool_id: str) -> Place:
    return Place(DISTRIBUTION, distribution_id(period, pool_id))


def campaign_place(campaign_id: str) -> Place:
    return Place(CAMPAIGN, campaign_id)


def campaign_left(campaign_id: str) -> Account:
    return Account(CAMPAIGN, campaign_id, "left")
