"""What a user's balance is to the ledger."""

from staking.domain.editions import EDITION, next_edition
from staking.domain.ledger import Account
from staking.domain.ledger_kinds import AmountField, KindRules

BALANCE_RULES = KindRules(
    name="balance",
    amounts=(AmountField("available"), AmountField("staked")),
    reads=(EDITION,),
    on_change=next_edition,
    entries=True,
)


def available(user_id: str) -> Account:
    return Account(BALANCE_RULES.name, user_id, "available")


def staked(user_id: str) -> Account:
    return Account(BALANCE_RULES.name, user_id, "staked")
