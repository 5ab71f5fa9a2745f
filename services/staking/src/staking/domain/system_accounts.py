"""The accounts that belong to nobody.

The treasury is the issuer, and the only account that may be below zero: tokens that are credited from outside come
from somewhere in a double entry, and the treasury's negative is exactly what was ever issued and not taken back.
Its floor is the supply's limit, so that no sum of balances can leave a signed 64-bit integer. Penalties and dust
only take."""

from staking.domain.amounts import SUPPLY_MAX
from staking.domain.ledger import Account
from staking.domain.ledger_kinds import AmountField, KindRules

AMOUNT = "amount"
SYSTEM_RULES = KindRules(name="system", amounts=(AmountField(AMOUNT),))
TREASURY_RULES = KindRules(name="treasury", amounts=(AmountField(AMOUNT, floor=-SUPPLY_MAX),))

TREASURY = Account("treasury", "treasury", AMOUNT)
PENALTIES = Account("system", "penalties", AMOUNT)
DUST = Account("system", "dust", AMOUNT)
SYSTEM_ACCOUNTS = (TREASURY, PENALTIES, DUST)
