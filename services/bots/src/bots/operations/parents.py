"""Which parents an operation means where its request doesn't say it: conditions on a bot's user and account, and the
account that a bot is to trade with, which must be its user's."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from pydantic import TypeAdapter, ValidationError

from bots.documents.trading_bots import TradingBot
from bots.domain.bot_modes import BotMode
from bots.operations.bots import ACCOUNT, NOUN, USER, get_bot, require_owner
from kit.identity import Caller, not_found
from kit.ids import Id
from kit.references.planning import ParentsPlan, PlannedParent
from kit.runtime import Runtime

_ids: TypeAdapter[str] = TypeAdapter(Id)


async def plan_start(runtime: Runtime, caller: Caller, path: Mapping[str, str], body: Any) -> ParentsPlan:
    """The user must be active, and a live bot's account valid. Raises NotFound, Forbidden."""
    del body
    bot = await _bot(runtime, caller, path)
    user = PlannedParent(USER.relationship, "users", bot.user_id, require={"status": "active"})
    if bot.mode is not BotMode.LIVE:
        return ParentsPlan((user,), bot.version)
    return ParentsPlan((user, _account(bot, bot.exchange_account_id, require={"isValid": True})), bot.version)


async def plan_change(runtime: Runtime, caller: Caller, path: Mapping[str, str], body: Any) -> ParentsPlan:
    """A new account must be the bot's user's. Raises NotFound, Forbidden."""
    bot = await _bot(runtime, caller, path)
    account_id = body.get("exchangeAccountId") if isinstance(body, dict) else None
    if not _is_id(account_id):
        return ParentsPlan((), bot.version)
    return ParentsPlan((_account(bot, account_id, pointer="/exchangeAccountId"),), bot.version)


async def _bot(runtime: Runtime, caller: Caller, path: Mapping[str, str]) -> TradingBot:
    bot_id = path.get("botId")
    if bot_id is None or not _is_id(bot_id):
        raise not_found(NOUN)
    bot = await get_bot(runtime, caller, bot_id)
    require_owner(caller, bot)
    return bot


def _account(
    bot: TradingBot, account_id: str, *, require: Mapping[str, Any] | None = None, pointer: str = ""
) -> PlannedParent:
    return PlannedParent(
        ACCOUNT.relationship,
        "exchange_accounts",
        account_id,
        match={"userId": bot.user_id},
        copy=("exchangeName",),
        require=require or {},
        pointer=pointer,
    )


def _is_id(value: Any) -> TypeGuard[str]:
    try:
        _ids.validate_python(value)
    except ValidationError:
        return False
    return True
