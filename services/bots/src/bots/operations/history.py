"""A bot's samples in order of time, page by page, out of the hours that hold them."""

from dataclasses import dataclass
from datetime import datetime

from bots.documents.bot_performance import PerformanceHour
from bots.documents.trading_bots import TradingBot
from bots.domain.moments import epoch_ms
from bots.domain.samples import MINUTES_PER_HOUR, MS_PER_MINUTE, Sample, hour_of
from bots.operations.bots import get_bot
from bots.operations.samples import unpack_hour
from kit.identity import Caller
from kit.paging import PageRequest, read_position, write_position
from kit.problems import FieldError, InvalidRequest
from kit.runtime import Runtime

HOURS_PER_READ = 24


@dataclass(frozen=True)
class History:
    bot: TradingBot
    samples: list[Sample]
    next_cursor: str | None


@dataclass(frozen=True)
class Range:
    """From a moment on, up to but not including another."""

    begin: datetime | None
    end: datetime | None

    def first_minute(self) -> int:
        """The first minute that begins in the range."""
        return -(-epoch_ms(self.begin) // MS_PER_MINUTE) if self.begin else 0

    def end_minute(self) -> int | None:
        return -(-epoch_ms(self.end) // MS_PER_MINUTE) if self.end else None


async def get_history(runtime: Runtime, caller: Caller, bot_id: str, wanted: Range, page: PageRequest) -> History:
    """Raises NotFound, InvalidRequest at /cursor or /sort."""
    bot = await get_bot(runtime, caller, bot_id)
    if page.sort is not None:
        refused = FieldError("/sort", "not-allowed", "A history is always in order of time.")
        raise InvalidRequest("The list cannot be sorted by this.", errors=[refused])
    first, end = wanted.first_minute(), wanted.end_minute()
    same_list = ["history", bot.id, first, end]
    if page.cursor is not None:
        first = read_position(page.cursor, of=same_list, key=runtime.cursor_key)
    samples = await _read(runtime, bot.id, first, end, page.limit + 1)
    if len(samples) <= page.limit:
        return History(bot, samples, None)
    shown = samples[: page.limit]
    return History(bot, shown, write_position(shown[-1].minute + 1, of=same_list, key=runtime.cursor_key))


async def _read(runtime: Runtime, bot_id: str, first: int, end: int | None, count: int) -> list[Sample]:
    """At most `count` samples from the minute `first` on; a read of hours that hold few is followed by another."""
    hours = runtime.store.collection(PerformanceHour)
    samples: list[Sample] = []
    hour = hour_of(first)
    while len(samples) < count:
        bounds = {"$gte": hour} if end is None else {"$gte": hour, "$lt": -(-end // MINUTES_PER_HOUR)}
        found = await hours.find({"botId": bot_id, "hour": bounds}, sort=[("hour", 1)], limit=HOURS_PER_READ)
        for one in found:
            samples += [
                sample for sample in unpack_hour(one) if sample.minute >= first and (end is None or sample.minute < end)
            ]
        if len(found) < HOURS_PER_READ:
            break
        hour = found[-1].hour + 1
    return samples[:count]
