"""Every reference of this service, declared once, used by documents and request schemas alike."""

from typing import Annotated

from kit.ids import Id
from kit.references.declaration import OnDelete, Parent, Reference

BalanceUserRef = Annotated[Id, Reference("users", on_delete=OnDelete.CASCADE, restrict_if={"hasEntries": True})]
"""One balance per user; once it has an entry it is history, and keeps its user."""

StakeUserRef = Annotated[Id, Reference("users", on_delete=OnDelete.RESTRICT, default="caller")]
StakePoolRef = Annotated[Id, Reference("staking_pools", on_delete=OnDelete.RESTRICT)]

RewardUserRef = Annotated[Id, Reference("users", on_delete=OnDelete.RESTRICT, via={"stake": "sourceId"})]
RewardSourceRef = Annotated[
    Id,
    Reference(
        by="sourceType",
        parents={
            "stake": Parent("user_stakes", match={"userId": "userId"}),
            "bot": Parent("trading_bots", match={"userId": "userId"}),
            "campaign": Parent("reward_campaigns"),
        },
        on_delete=OnDelete.RESTRICT,
    ),
]
