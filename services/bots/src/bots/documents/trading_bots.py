"""Trading bots, and what happened to them."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from bots.domain.bot_life_cycle import BotAction, BotStatus
from bots.domain.bot_modes import BotMode
from bots.references import BotAccountRef, BotPairRef, BotUserRef
from kit.documents import Entity, Part
from kit.identity import ADMIN, ENGINE, TREASURY
from kit.references.rules import EntityRules, OwnerField, PartOf, Roles
from kit.store import index


class _Value(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class StoredStrategy(_Value):
    """`params` is JSON text: a store would change numbers beyond its own and refuse some names."""

    name: str
    version: str
    params: str


class StoredMoney(_Value):
    """`amount` is a decimal string."""

    amount: str
    currency: str


class StoredRun(_Value):
    """From a start to a stop or a failure. Runs are counted from 1."""

    number: int
    started_at: datetime
    ended_at: datetime | None = None
    ended_by: BotAction | None = None


class StoredTransition(_Value):
    """The last transition, kept with the bot so that its event can be written again."""

    event_id: str
    action: BotAction
    from_status: BotStatus
    to_status: BotStatus
    actor_id: str
    reason: str | None = None
    run: int
    at: datetime


class TradingBot(Entity):
    """`runs` are the last ones; `run_count` counts all."""

    rules = EntityRules(
        key="botId",
        referable_by=(OwnerField("userId"), Roles(ENGINE, TREASURY, ADMIN)),
        exposes=("userId",),
    )

    user_id: BotUserRef
    exchange_account_id: BotAccountRef
    exchange: str
    market_pair: BotPairRef
    name: str
    strategy: StoredStrategy
    mode: BotMode
    initial_capital: StoredMoney
    max_drawdown_stop: float | None = None
    status: BotStatus
    runs: list[StoredRun]
    run_count: int
    notes: str | None = None
    tags: list[str]
    last_action_id: str | None = None
    last_transition: StoredTransition | None = None

    class Settings:
        name = "trading_bots"
        indexes = (index("userId", "name", unique=True), index("userId", "createdAt"))


class BotEvent(Part):
    """A transition; the key is the id of the action that made it."""

    part_of = PartOf(entity="trading_bots", field="botId")

    bot_id: str
    action: BotAction
    from_status: BotStatus
    to_status: BotStatus
    actor_id: str
    reason: str | None = None
    run: int
    at: datetime

    class Settings:
        name = "bot_events"
        indexes = (index("botId", "at"),)
