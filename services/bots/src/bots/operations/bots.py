"""Trading bots: create, read, list, change."""

import json
from dataclasses import dataclass
from typing import Any

from bots.documents.trading_bots import StoredMoney, StoredStrategy, TradingBot
from bots.domain.bot_life_cycle import BotStatus, fields_not_editable
from bots.domain.money import format_money
from bots.operations.updates import decide_and_save, save
from bots.problems import BotNotEditable
from bots.schemas.bots import BotCreate, BotPatch, Strategy
from kit.identity import ENGINE, TREASURY, Caller, not_found
from kit.paging import PageRequest, SortFields, fetch_page
from kit.preconditions import check_if_match
from kit.problems import AlreadyExists, FieldError, Forbidden, ReferenceNotFound, ReferencesNotValidated
from kit.references.attached import Attached
from kit.runtime import Runtime
from kit.store import DuplicateKey

NOUN = "bot"
BOT_SORT = SortFields(
    allowed={"createdAt": "createdAt", "updatedAt": "updatedAt", "name": "name"}, default="-createdAt"
)
ACCOUNT = TradingBot.references["exchangeAccountId"]
USER = TradingBot.references["userId"]


@dataclass(frozen=True)
class BotFilters:
    """What a list of bots is narrowed to; None is everything the caller may see."""

    user_id: str | None
    status: BotStatus | None
    market_pair: str | None
    exchange_account_id: str | None
    tag: str | None

    def stored(self, caller: Caller) -> dict[str, Any]:
        wanted = {
            "userId": self.user_id,
            "status": self.status and self.status.value,
            "marketPair": self.market_pair,
            "exchangeAccountId": self.exchange_account_id,
            "tags": self.tag,
        }
        narrowed = {name: value for name, value in wanted.items() if value is not None}
        own = {"userId": caller.require_signed_in()}
        if sees_every_bot(caller) or self.user_id == caller.id:
            return narrowed
        return {"$and": [own, narrowed]} if "userId" in narrowed else {**own, **narrowed}


def sees_every_bot(caller: Caller) -> bool:
    """Engines trade for everybody; treasury and admins act for everybody."""
    return caller.id is not None and (caller.has(ENGINE) or caller.has(TREASURY))


async def create_bot(
    runtime: Runtime, caller: Caller, body: BotCreate, *, bot_id: str, attached: Attached
) -> TradingBot:
    """Raises ReferenceNotFound at /userId, /exchangeAccountId or /marketPair, AlreadyExists at /name."""
    user_id = body.user_id or caller.require_signed_in()
    if not caller.may_act_for(user_id):
        missing = [FieldError("/userId", ReferenceNotFound.code, "There is no such user.")]
        raise ReferenceNotFound("A field refers to something that does not exist.", errors=missing)
    now = runtime.clock.now()
    bot = TradingBot(
        id=bot_id,
        user_id=user_id,
        exchange_account_id=body.exchange_account_id,
        exchange=_exchange(attached, body.exchange_account_id),
        market_pair=body.market_pair,
        name=body.name,
        strategy=_stored_strategy(body.strategy),
        mode=body.mode,
        initial_capital=StoredMoney(
            amount=format_money(body.initial_capital.amount), currency=body.initial_capital.currency
        ),
        max_drawdown_stop=body.max_drawdown_stop,
        status=BotStatus.CREATED,
        runs=[],
        run_count=0,
        notes=body.notes,
        tags=body.tags,
        created_at=now,
        updated_at=now,
    )
    try:
        return await runtime.references.create(bot, attached)
    except DuplicateKey as taken:
        made_before = await runtime.store.collection(TradingBot).get(bot_id)
        if made_before is not None:
            return made_before
        raise _name_taken() from taken


async def get_bot(runtime: Runtime, caller: Caller, bot_id: str) -> TradingBot:
    """One bot, for its owner, engines, treasury and admins. Raises NotFound for everybody else as for an unknown id."""
    bot = await runtime.store.collection(TradingBot).get(bot_id)
    if bot is None or not may_see(caller, bot):
        raise not_found(NOUN)
    return bot


def may_see(caller: Caller, bot: TradingBot) -> bool:
    return caller.may_act_for(bot.user_id) or sees_every_bot(caller)


async def list_bots(
    runtime: Runtime, caller: Caller, filters: BotFilters, page: PageRequest
) -> tuple[list[TradingBot], str | None]:
    """A page of the caller's own bots; engines, treasury and admins see everybody's."""
    bots = runtime.store.collection(TradingBot)
    return await fetch_page(bots, filters.stored(caller), page, BOT_SORT, runtime.cursor_key)


async def change_bot(
    runtime: Runtime,
    caller: Caller,
    bot_id: str,
    patch: BotPatch,
    *,
    if_match: int | None,
    attached: Attached,
) -> TradingBot:
    """Raises NotFound, VersionMismatch, BotNotEditable, AlreadyExists at /name, ReferenceNotFound."""

    async def attempt() -> TradingBot | None:
        bot = await get_bot(runtime, caller, bot_id)
        require_owner(caller, bot)
        check_if_match(if_match, bot.version)
        changes, unset = _changes(bot, patch)
        _check_editable(bot, frozenset({*changes, *unset}))
        if "exchangeAccountId" in changes:
            changes["exchange"] = _exchange(attached, changes["exchangeAccountId"])
            return await runtime.references.change(bot, changes, unset=unset, attached=attached)
        return await save(runtime, bot, changes, unset=unset) if changes or unset else bot

    try:
        return await decide_and_save(attempt, if_match=if_match)
    except DuplicateKey as taken:
        raise _name_taken() from taken


def require_owner(caller: Caller, bot: TradingBot) -> None:
    """Raises Forbidden for somebody who may see the bot but not act for its owner."""
    if not caller.may_act_for(bot.user_id):
        raise Forbidden("Only the bot's owner may do this.")


def _changes(bot: TradingBot, patch: BotPatch) -> tuple[dict[str, Any], list[str]]:
    """What differs: stored fields to set, and those to remove."""
    given = patch.model_fields_set
    wanted: dict[str, Any] = {}
    for field, stored in (
        ("name", "name"),
        ("notes", "notes"),
        ("tags", "tags"),
        ("max_drawdown_stop", "maxDrawdownStop"),
        ("exchange_account_id", "exchangeAccountId"),
    ):
        if field in given and getattr(patch, field) != getattr(bot, field):
            wanted[stored] = getattr(patch, field)
    if "strategy" in given and _stored_strategy(patch.strategy) != bot.strategy:
        wanted["strategy"] = _stored_strategy(patch.strategy).model_dump(by_alias=True)
    changes = {name: value for name, value in wanted.items() if value is not None}
    return changes, sorted(wanted.keys() - changes.keys())


def _check_editable(bot: TradingBot, fields: frozenset[str]) -> None:
    refused = fields_not_editable(bot.status, fields)
    if refused:
        detail = f"A bot that is {bot.status} keeps it."
        errors = [FieldError(f"/{name}", BotNotEditable.code, detail) for name in refused]
        raise BotNotEditable("Stop the bot to change what it trades with and how.", errors=errors)


def _exchange(attached: Attached, account_id: str) -> str:
    exchange = attached.copied(ACCOUNT.relationship, account_id).get("exchangeName")
    if not isinstance(exchange, str):
        raise ReferencesNotValidated("The account's exchange did not come with its validation.")
    return exchange


def _stored_strategy(strategy: Strategy) -> StoredStrategy:
    params = json.dumps(strategy.params, ensure_ascii=False, separators=(",", ":"))
    return StoredStrategy(name=strategy.name, version=strategy.version, params=params)


def _name_taken() -> AlreadyExists:
    errors = [
        FieldError("/name", AlreadyExists.code, "Another bot of this user, perhaps an archived one, has the name.")
    ]
    return AlreadyExists("A bot's name is its user's only once.", errors=errors)
