"""The life of a bot: one action at a time, each kept as an event.

The bot keeps its last transition, so that an event whose writing was interrupted is written by whoever comes next.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bots.documents.market_pairs import MarketPair
from bots.documents.trading_bots import BotEvent, StoredRun, StoredTransition, TradingBot
from bots.domain.bot_life_cycle import (
    BotAction,
    BotStatus,
    allowed_actions,
    begins_run,
    ends_run,
    next_status,
)
from bots.domain.bot_modes import BotMode
from bots.domain.market_import import MarketState, state_at
from bots.domain.market_symbols import pair_id
from bots.operations.bots import ACCOUNT, USER, get_bot, require_owner
from bots.operations.updates import decide_and_save, save
from bots.problems import PairNotActive
from kit.identity import ENGINE, Caller
from kit.paging import PageRequest, SortFields, fetch_page
from kit.preconditions import check_if_match
from kit.problems import IllegalTransition, ReferencesNotValidated, VersionMismatch
from kit.references.attached import Attached
from kit.runtime import Runtime

RUNS_KEPT_MAX = 50
EVENT_SORT = SortFields(allowed={"at": "at"}, default="-at")
ENGINE_ACTIONS = frozenset({BotAction.PAUSE, BotAction.STOP, BotAction.FAIL})
"""What an engine does for bots that aren't its own: it may end trading, not begin it."""


@dataclass(frozen=True)
class Request:
    """What an action on a bot comes with: the references that were validated for it, and in `versions` the bot's
    version that conditions on them were named for."""

    bot_id: str
    reason: str | None
    action_id: str
    if_match: int | None
    validated: Attached
    versions: Mapping[str, int] | None


async def transit(runtime: Runtime, caller: Caller, action: BotAction, request: Request) -> TradingBot:
    """Raises NotFound, Forbidden, IllegalTransition, VersionMismatch, ReferencesNotValidated, PairNotActive."""

    async def attempt() -> TradingBot | None:
        bot = await get_bot(runtime, caller, request.bot_id)
        if not (caller.has(ENGINE) and action in ENGINE_ACTIONS):
            require_owner(caller, bot)
        if await _was_done(runtime, bot, request.action_id):
            return bot
        check_if_match(request.if_match, bot.version)
        changes = _changes(runtime, caller, bot, action, request)
        await _write_event(runtime, bot)
        if action is not BotAction.START:
            return await save(runtime, bot, changes)
        await _check_start(runtime, bot, request)
        return await runtime.references.change(bot, changes, attached=request.validated)

    bot = await decide_and_save(attempt, if_match=request.if_match)
    await _write_event(runtime, bot)
    return bot


async def list_events(
    runtime: Runtime, caller: Caller, bot_id: str, page: PageRequest
) -> tuple[list[BotEvent], str | None]:
    """A bot's transitions, the last ones first. Raises NotFound."""
    bot = await get_bot(runtime, caller, bot_id)
    await _write_event(runtime, bot)
    events = runtime.store.collection(BotEvent)
    return await fetch_page(events, {"botId": bot.id}, page, EVENT_SORT, runtime.cursor_key)


async def _was_done(runtime: Runtime, bot: TradingBot, action_id: str) -> bool:
    """Whether this action was done by an earlier try with the same id."""
    if bot.last_action_id == action_id:
        return True
    return await runtime.store.collection(BotEvent).exists({"_id": action_id, "botId": bot.id})


def illegal(status: BotStatus, action: str) -> IllegalTransition:
    allowed = [one.value for one in allowed_actions(status)]
    return IllegalTransition(
        f"'{action}' is not allowed while the bot is {status}.", from_=status.value, action=str(action), allowed=allowed
    )


def _changes(runtime: Runtime, caller: Caller, bot: TradingBot, action: BotAction, request: Request) -> dict[str, Any]:
    after = next_status(bot.status, action)
    if after is None:
        raise illegal(bot.status, action)
    now = runtime.clock.now()
    changes: dict[str, Any] = {"status": after.value, "lastActionId": request.action_id}
    runs, count = list(bot.runs), bot.run_count
    if begins_run(bot.status, after):
        count += 1
        runs.append(StoredRun(number=count, started_at=now))
        changes["runCount"] = count
    elif ends_run(bot.status, after) and runs:
        runs[-1] = runs[-1].model_copy(update={"ended_at": now, "ended_by": action})
    if runs != bot.runs:
        changes["runs"] = [_plain(run) for run in runs[-RUNS_KEPT_MAX:]]
    transition = StoredTransition(
        event_id=request.action_id,
        action=action,
        from_status=bot.status,
        to_status=after,
        actor_id=caller.require_signed_in(),
        reason=request.reason,
        run=count,
        at=now,
    )
    changes["lastTransition"] = _plain(transition)
    return changes


def _plain(value: StoredRun | StoredTransition) -> dict[str, Any]:
    return value.model_dump(by_alias=True, exclude_none=True)


async def _check_start(runtime: Runtime, bot: TradingBot, request: Request) -> None:
    """The gateway asked the owners that the user is active, and for a live bot that the account is valid; it asked for
    the version of the bot that it was told of."""
    if request.validated.find(USER.relationship, "users", bot.user_id) is None:
        raise ReferencesNotValidated("The bot's user was not asked for.")
    if (request.versions or {}).get("document") != bot.version:
        raise VersionMismatch("The bot was changed while its start was being checked; try again.")
    if bot.mode is not BotMode.LIVE:
        return
    if request.validated.find(ACCOUNT.relationship, "exchange_accounts", bot.exchange_account_id) is None:
        raise ReferencesNotValidated("The bot's exchange account was not asked for.")
    pair = await runtime.store.collection(MarketPair).get(pair_id(bot.exchange, bot.market_pair))
    now = runtime.clock.now()
    if pair is None or state_at(pair.state, pair.delist_at, now) is not MarketState.ACTIVE:
        raise PairNotActive(f"{bot.market_pair} on {bot.exchange} is not traded now.")


async def _write_event(runtime: Runtime, bot: TradingBot) -> None:
    """The event of the bot's last transition, if it isn't there yet."""
    last = bot.last_transition
    if last is None:
        return
    event = BotEvent(
        id=last.event_id,
        bot_id=bot.id,
        action=last.action,
        from_status=last.from_status,
        to_status=last.to_status,
        actor_id=last.actor_id,
        reason=last.reason,
        run=last.run,
        at=last.at,
    )
    events = runtime.store.collection(BotEvent)
    if not await events.exists({"_id": event.id}):
        await events.insert_many([event])
