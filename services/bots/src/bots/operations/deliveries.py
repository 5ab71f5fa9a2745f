"""What every delivery of samples or trades does to the current records, before and after it writes their parts.

A record's revision is raised twice: figures that were made in between are never taken for current ones. In between the
record says in `writing` from where on it is being changed; a writer that died is forgotten after WRITER_LIFE_S.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bots.documents.bot_performance import BotPerformance, Writing
from bots.documents.trading_bots import TradingBot
from bots.domain.bot_modes import BotMode
from bots.operations.bots import NOUN, may_see
from kit.identity import ENGINE, Caller, not_found
from kit.ids import new_id
from kit.problems import AlreadyExists, Forbidden, Problem, Unavailable
from kit.references.attached import Attached
from kit.runtime import Runtime
from kit.store.codec import to_stored_value

ATTEMPTS_MAX = 8
WRITER_LIFE_S = 600


@dataclass
class Outcome:
    """What became of what was received."""

    received: int
    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def add(self, *, created: int = 0, updated: int = 0, unchanged: int = 0) -> None:
        self.created += created
        self.updated += updated
        self.unchanged += unchanged


@dataclass(frozen=True)
class Place:
    """Where a delivery begins to change a bot's parts: an hour counted from the epoch, or a closing time."""

    hour: int | None = None
    closed_ms: int | None = None

    def stale(self) -> dict[str, int]:
        named = {"staleHour": self.hour, "staleClosedMs": self.closed_ms}
        return {name: value for name, value in named.items() if value is not None}


def new_token() -> str:
    """The name of a delivery, which tells its writes from those of others at the same time."""
    return new_id().rpartition("-")[2]


def require_deliverer(caller: Caller, bot: TradingBot) -> None:
    """Raises NotFound for a stranger, Forbidden for an owner whose bot trades for real: its figures are the
    engine's."""
    if caller.has(ENGINE):
        return
    if not may_see(caller, bot):
        raise not_found(NOUN)
    if bot.mode is not BotMode.PAPER:
        raise Forbidden("Only an engine delivers the performance of a live bot.")


async def ensure_records(runtime: Runtime, bots: Sequence[TradingBot], attached: Attached) -> None:
    """Make the current records that aren't there yet. Raises NotFound, ReferenceClosed, Unavailable."""
    records = runtime.store.collection(BotPerformance)
    rows = await records.rows({"_id": {"$in": [bot.id for bot in bots]}}, fields=["_id"], limit=len(bots))
    there = {row["_id"] for row in rows}
    missing = [_new_record(runtime, bot) for bot in bots if bot.id not in there]
    for made in await runtime.references.create_many(missing, attached):
        if isinstance(made, Problem) and not (isinstance(made, AlreadyExists) and made.is_settled):
            raise made


async def begin(
    runtime: Runtime, token: str, places: Mapping[str, Place], bots: Sequence[TradingBot], attached: Attached
) -> None:
    """Announce a delivery in the records of all bots that it changes. Raises NotFound for a bot that is gone."""
    for _ in range(2):
        writing = {
            bot_id: Writing(at=runtime.clock.now(), hour=place.hour, closed_ms=place.closed_ms)
            for bot_id, place in places.items()
        }
        updates = {
            bot_id: {
                "$inc": {"revision": 1},
                "$set": {f"writing.{token}": to_stored_value(one.model_dump(by_alias=True, exclude_none=True))},
                "$min": places[bot_id].stale(),
            }
            for bot_id, one in writing.items()
        }
        if await _update(runtime, updates) == len(places):
            return
        await ensure_records(runtime, [bot for bot in bots if bot.id in places], attached)
    raise not_found(NOUN)


async def end(runtime: Runtime, token: str, places: Mapping[str, Place]) -> None:
    """Take the announcement back, now that the parts are written."""
    updates = {
        bot_id: {"$inc": {"revision": 1}, "$unset": {f"writing.{token}": ""}, "$min": place.stale()}
        for bot_id, place in places.items()
    }
    await _update(runtime, updates)


def live_writers(runtime: Runtime, record: BotPerformance) -> dict[str, Writing]:
    """The deliveries under way by token, without those that can't end any more."""
    oldest = runtime.clock.now() - timedelta(seconds=WRITER_LIFE_S)
    return {token: one for token, one in record.writing.items() if one.at > oldest}


def contended() -> Unavailable:
    return Unavailable("The bot's performance is being delivered by many at once; try again.")


async def _update(runtime: Runtime, updates: Mapping[str, Mapping[str, Any]]) -> int:
    records = runtime.store.collection(BotPerformance)
    if len(updates) == 1:
        ((bot_id, update),) = updates.items()
        return int(await records.update({"_id": bot_id}, update))
    return await records.bulk_update([({"_id": bot_id}, update) for bot_id, update in updates.items()])


def _new_record(runtime: Runtime, bot: TradingBot) -> BotPerformance:
    now = runtime.clock.now()
    return BotPerformance(
        id=bot.id,
        bot_id=bot.id,
        revision=0,
        figures_revision=-1,
        writing={},
        sample_checkpoints=[],
        trade_checkpoints=[],
        created_at=now,
        updated_at=now,
    )
