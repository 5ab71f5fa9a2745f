"""Trading bots over HTTP."""

import json
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from bots.documents.trading_bots import BotEvent, TradingBot
from bots.domain.bot_life_cycle import BotAction, BotStatus
from bots.domain.market_symbols import SYMBOL_CHARACTERS_MAX
from bots.operations import bot_transitions
from bots.operations import bots as operations
from bots.problems import BotNotEditable, PairNotActive
from bots.schemas.bots import (
    BotCreate,
    BotEventOut,
    BotOut,
    BotPatch,
    BotTransition,
    MoneyOut,
    RunOut,
    StrategyOut,
    Tag,
)
from kit.dependencies import AttachedDep, CallerDep, ContextDep, IfMatch, Paging, ResourceId, RuntimeDep
from kit.ids import Id
from kit.preconditions import etag
from kit.problems import (
    AlreadyExists,
    Forbidden,
    IllegalTransition,
    NotFound,
    ReferenceClosed,
    ReferenceConditionFailed,
    ReferenceNotFound,
    ReferencesNotValidated,
    ReferenceUnverifiable,
    ResourceDeleted,
    VersionMismatch,
)
from kit.references.deletes.deleting import delete_responses, deletes, refuse_direct
from kit.responses import documented
from kit.routing import KitRoute
from kit.schemas import PageOut, text

router = APIRouter(prefix="/v1/bots", route_class=KitRoute, tags=["bots"])

BotId = Annotated[Id, Path(alias="botId")]

CREATE_REFUSALS = (
    AlreadyExists,
    ReferenceNotFound,
    ReferenceClosed,
    ReferenceUnverifiable,
    ReferencesNotValidated,
)
CHANGE_REFUSALS = (NotFound, VersionMismatch, BotNotEditable, *CREATE_REFUSALS)
ACTION_REFUSALS = (NotFound, IllegalTransition, VersionMismatch)
START_REFUSALS = (
    *ACTION_REFUSALS,
    ReferenceConditionFailed,
    ReferenceClosed,
    ReferenceUnverifiable,
    ReferencesNotValidated,
    PairNotActive,
)
NO_REASON = BotTransition()
ON_CHANGE = {"x-reference-require": [operations.ACCOUNT.relationship]}
ON_START = {"x-reference-require": [operations.USER.relationship, operations.ACCOUNT.relationship]}


async def bot_filters(
    user_id: Annotated[Id | None, Query(alias="userId")] = None,
    status: Annotated[BotStatus | None, Query()] = None,
    market_pair: Annotated[str | None, text(SYMBOL_CHARACTERS_MAX), Query(alias="marketPair")] = None,
    exchange_account_id: Annotated[Id | None, Query(alias="exchangeAccountId")] = None,
    tag: Annotated[Tag | None, Query()] = None,
) -> operations.BotFilters:
    """The query parameters of the list."""
    return operations.BotFilters(
        user_id=user_id, status=status, market_pair=market_pair, exchange_account_id=exchange_account_id, tag=tag
    )


def render(bot: TradingBot, response: Response) -> BotOut:
    """A bot as it travels, with its version as ETag."""
    response.headers["ETag"] = etag(bot.version)
    return present(bot)


def present(bot: TradingBot) -> BotOut:
    """A bot as it travels."""
    strategy, capital = bot.strategy, bot.initial_capital
    return BotOut(
        bot_id=bot.id,
        user_id=bot.user_id,
        exchange_account_id=bot.exchange_account_id,
        exchange=bot.exchange,
        market_pair=bot.market_pair,
        name=bot.name,
        strategy=StrategyOut(name=strategy.name, version=strategy.version, params=json.loads(strategy.params)),
        mode=bot.mode,
        initial_capital=MoneyOut(amount=capital.amount, currency=capital.currency),
        max_drawdown_stop=bot.max_drawdown_stop,
        status=bot.status,
        runs=[RunOut.model_validate(run) for run in bot.runs],
        run_count=bot.run_count,
        notes=bot.notes,
        tags=bot.tags,
        created_at=bot.created_at,
        updated_at=bot.updated_at,
        version=bot.version,
    )


def present_event(event: BotEvent) -> BotEventOut:
    """A transition as it travels."""
    return BotEventOut(
        event_id=event.id,
        bot_id=event.bot_id,
        action=event.action,
        from_status=event.from_status,
        to_status=event.to_status,
        actor_id=event.actor_id,
        reason=event.reason,
        run=event.run,
        at=event.at,
    )


async def asked(
    *,
    context: ContextDep,
    attached: AttachedDep,
    bot_id: BotId,
    action_id: ResourceId,
    if_match: IfMatch,
    body: Annotated[BotTransition, Body()] = NO_REASON,
) -> bot_transitions.Request:
    """What every action on a bot comes with."""
    return bot_transitions.Request(bot_id, body.reason, action_id, if_match, attached, context.versions)


AskedDep = Annotated[bot_transitions.Request, Depends(asked)]


@router.post("", operation_id="createBot", status_code=201, responses=documented(ResourceDeleted, *CREATE_REFUSALS))
async def create_bot(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    attached: AttachedDep,
    bot_id: ResourceId,
    body: BotCreate,
    response: Response,
) -> BotOut:
    """Create a bot for an exchange account and a pair of that exchange."""
    bot = await operations.create_bot(runtime, caller, body, bot_id=bot_id, attached=attached)
    response.headers["Location"] = f"/v1/bots/{bot.id}"
    return render(bot, response)


@router.get("", operation_id="listBots")
async def list_bots(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    filters: Annotated[operations.BotFilters, Depends(bot_filters)],
    page: Paging,
) -> PageOut[BotOut]:
    """The caller's own bots; everybody's for engines, treasury and admins."""
    bots, next_cursor = await operations.list_bots(runtime, caller, filters, page)
    return PageOut[BotOut](items=[present(bot) for bot in bots], next_cursor=next_cursor)


@router.get("/{botId}", operation_id="getBot", responses=documented(NotFound))
async def get_bot(*, runtime: RuntimeDep, caller: CallerDep, bot_id: BotId, response: Response) -> BotOut:
    """One bot."""
    return render(await operations.get_bot(runtime, caller, bot_id), response)


@router.patch(
    "/{botId}", operation_id="changeBot", responses=documented(*CHANGE_REFUSALS), openapi_extra=dict(ON_CHANGE)
)
async def change_bot(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    attached: AttachedDep,
    bot_id: BotId,
    body: BotPatch,
    if_match: IfMatch,
    response: Response,
) -> BotOut:
    """Change what the bot's state allows: strategy and exchange account only while it is at rest."""
    bot = await operations.change_bot(runtime, caller, bot_id, body, if_match=if_match, attached=attached)
    return render(bot, response)


@router.delete(
    "/{botId}",
    operation_id="deleteBot",
    status_code=204,
    responses=delete_responses(Forbidden, IllegalTransition),
    openapi_extra=deletes("trading_bots"),
)
async def delete_bot(*, bot_id: BotId, if_match: IfMatch) -> None:  # noqa: ARG001 (the deleter gets them)
    """Delete a bot that is created, stopped, in error or archived, with its events and its performance: its owner or
    an admin. A bot that rewards were given for is not deleted."""
    refuse_direct()


@router.post(
    "/{botId}/start",
    operation_id="startBot",
    responses=documented(*START_REFUSALS),
    openapi_extra=dict(ON_START),
)
async def start_bot(*, runtime: RuntimeDep, caller: CallerDep, asked: AskedDep, response: Response) -> BotOut:
    """Begin trading, or go on after a pause. The user must be active; a live bot needs a valid account and an
    active pair."""
    return render(await bot_transitions.transit(runtime, caller, BotAction.START, asked), response)


@router.post(
    "/{botId}/pause",
    operation_id="pauseBot",
    responses=documented(*ACTION_REFUSALS),
)
async def pause_bot(*, runtime: RuntimeDep, caller: CallerDep, asked: AskedDep, response: Response) -> BotOut:
    """Open no new positions; open ones are managed."""
    return render(await bot_transitions.transit(runtime, caller, BotAction.PAUSE, asked), response)


@router.post(
    "/{botId}/stop",
    operation_id="stopBot",
    responses=documented(*ACTION_REFUSALS),
)
async def stop_bot(*, runtime: RuntimeDep, caller: CallerDep, asked: AskedDep, response: Response) -> BotOut:
    """End the run."""
    return render(await bot_transitions.transit(runtime, caller, BotAction.STOP, asked), response)


@router.post(
    "/{botId}/fail",
    operation_id="failBot",
    responses=documented(*ACTION_REFUSALS),
)
async def fail_bot(*, runtime: RuntimeDep, caller: CallerDep, asked: AskedDep, response: Response) -> BotOut:
    """End the run because of an error."""
    return render(await bot_transitions.transit(runtime, caller, BotAction.FAIL, asked), response)


@router.post(
    "/{botId}/archive",
    operation_id="archiveBot",
    responses=documented(*ACTION_REFUSALS),
)
async def archive_bot(*, runtime: RuntimeDep, caller: CallerDep, asked: AskedDep, response: Response) -> BotOut:
    """Put the bot away for good; its name stays taken."""
    return render(await bot_transitions.transit(runtime, caller, BotAction.ARCHIVE, asked), response)


@router.get("/{botId}/events", operation_id="listBotEvents", responses=documented(NotFound))
async def list_bot_events(
    *, runtime: RuntimeDep, caller: CallerDep, bot_id: BotId, page: Paging
) -> PageOut[BotEventOut]:
    """The bot's transitions with actor, time and reason, the last ones first."""
    events, next_cursor = await bot_transitions.list_events(runtime, caller, bot_id, page)
    return PageOut[BotEventOut](items=[present_event(event) for event in events], next_cursor=next_cursor)
