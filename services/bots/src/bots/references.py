"""The references that this service's documents hold."""

from typing import Annotated

from bots.domain.bot_life_cycle import LIVE
from bots.domain.market_symbols import SYMBOL_CHARACTERS_MAX
from kit.ids import Id
from kit.references.declaration import CASCADE, RESTRICT, Reference
from kit.schemas import text

BotUserRef = Annotated[
    Id,
    Reference(
        "users",
        on_delete=CASCADE,
        restrict_if={"status": {"$in": sorted(status.value for status in LIVE)}},
        default="caller",
    ),
]
BotAccountRef = Annotated[
    Id,
    Reference(
        "exchange_accounts",
        on_delete=RESTRICT,
        match={"userId": "userId"},
        copy={"exchange": "exchangeName"},
    ),
]
BotPairRef = Annotated[
    str,
    text(SYMBOL_CHARACTERS_MAX),
    Reference("market_pairs", on_delete=RESTRICT, key={"exchange": "exchange", "marketPair": "symbol"}),
]
PerformanceBotRef = Annotated[Id, Reference("trading_bots", on_delete=CASCADE)]
