"""Deliveries of samples: whole hours are read, merged and put in their place on the version that was read, so that any
replica may take any delivery, again or in any order."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bots.documents.bot_performance import PerformanceHour
from bots.documents.trading_bots import TradingBot
from bots.domain.moments import epoch_ms
from bots.domain.sample_columns import SampleColumns, pack_samples, unpack_samples
from bots.domain.samples import MS_PER_MINUTE, Merged, Sample, by_hour, merge
from bots.domain.segments import segment_of
from bots.domain.summary_codec import encode_curve, encode_totals
from bots.operations.bots import get_bot, may_see
from bots.operations.deliveries import ATTEMPTS_MAX, Outcome, Place, begin, contended, end, new_token, require_deliverer
from bots.schemas.deliveries import BotSamples, SampleBatch, SampleBatches, SampleIn
from kit.identity import Caller
from kit.problems import FieldError, InvalidRequest, ReferenceNotFound
from kit.references.attached import Attached
from kit.runtime import Runtime
from kit.store import Collection

AHEAD_MAX = timedelta(hours=24)
Key = tuple[str, int]  # a bot's id and an hour


@dataclass
class _Delivery:
    """Samples by bot and hour, as long as they are not known to be stored."""

    token: str
    hours: dict[Key, list[Sample]]
    outcomes: dict[str, Outcome]
    announced: dict[str, Place] = field(default_factory=dict)

    def settle(self, key: Key, merged: Merged) -> None:
        self.outcomes[key[0]].add(created=merged.created, updated=merged.updated, unchanged=merged.unchanged)
        del self.hours[key]


async def deliver_samples(
    runtime: Runtime, caller: Caller, bot_id: str, batch: SampleBatch, attached: Attached
) -> Outcome:
    """Samples of one bot. Raises InvalidRequest at each that is of a day to come, NotFound, Forbidden, Unavailable."""
    _check_times(runtime, [("/samples", batch.samples)])
    delivery = _delivery({bot_id: batch.samples})
    bot, stored = await asyncio.gather(get_bot(runtime, caller, bot_id), _stored_hours(runtime, delivery))
    require_deliverer(caller, bot)
    await _deliver(runtime, delivery, stored, [bot], attached)
    return delivery.outcomes[bot.id]


async def deliver_many(
    runtime: Runtime, caller: Caller, batches: SampleBatches, attached: Attached
) -> dict[str, Outcome]:
    """Samples of several bots, by bot in the order given. Raises ReferenceNotFound at each unknown bot, InvalidRequest
    at each sample of a day to come, Forbidden."""
    _check_times(runtime, [(f"/bots/{place}/samples", one.samples) for place, one in enumerate(batches.bots)])
    delivery = _delivery({one.bot_id: one.samples for one in batches.bots})
    bots, stored = await asyncio.gather(_named_bots(runtime, caller, batches.bots), _stored_hours(runtime, delivery))
    for bot in bots:
        require_deliverer(caller, bot)
    await _deliver(runtime, delivery, stored, bots, attached)
    return delivery.outcomes


def _check_times(runtime: Runtime, batches: Sequence[tuple[str, Sequence[SampleIn]]]) -> None:
    """An engine's clock may be ahead by a time zone; what is further ahead is a mistake, and would end the curve."""
    latest = runtime.clock.now() + AHEAD_MAX
    errors = [
        FieldError(f"{pointer}/{place}/ts", "out-of-range", "It is more than 24 hours in the future.")
        for pointer, samples in batches
        for place, one in enumerate(samples)
        if one.ts > latest
    ]
    if errors:
        raise InvalidRequest("A sample is of a moment that has been.", errors=errors)


def _delivery(samples: Mapping[str, Sequence[SampleIn]]) -> _Delivery:
    return _Delivery(
        token=new_token(),
        hours={
            (bot_id, hour): held
            for bot_id, sent in samples.items()
            for hour, held in by_hour(map(_sample, sent)).items()
        },
        outcomes={bot_id: Outcome(received=len(sent)) for bot_id, sent in samples.items()},
    )


async def _named_bots(runtime: Runtime, caller: Caller, named: Sequence[BotSamples]) -> list[TradingBot]:
    where = {"_id": {"$in": [one.bot_id for one in named]}}
    found = await runtime.store.collection(TradingBot).find(where, limit=len(named))
    seen = {bot.id: bot for bot in found if may_see(caller, bot)}
    missing = [
        FieldError(f"/bots/{place}/botId", ReferenceNotFound.code, "There is no such bot.")
        for place, one in enumerate(named)
        if one.bot_id not in seen
    ]
    if missing:
        raise ReferenceNotFound("A field refers to something that does not exist.", errors=missing)
    return list(seen.values())


async def _deliver(
    runtime: Runtime,
    delivery: _Delivery,
    stored: dict[Key, PerformanceHour],
    bots: Sequence[TradingBot],
    attached: Attached,
) -> None:
    """`stored` are the delivery's hours as they were read."""
    for _ in range(ATTEMPTS_MAX):
        changes = _changes(delivery, stored)
        if changes and not delivery.announced:
            delivery.announced = _places(delivery.hours)
            await begin(runtime, delivery.token, delivery.announced, bots, attached)
        await _write(runtime, delivery, stored, changes)
        if not delivery.hours:
            break
        stored = await _stored_hours(runtime, delivery)
    if delivery.announced:
        await end(runtime, delivery.token, delivery.announced)
    if delivery.hours:
        raise contended()


async def _stored_hours(runtime: Runtime, delivery: _Delivery) -> dict[Key, PerformanceHour]:
    keys = list(delivery.hours)
    hours = runtime.store.collection(PerformanceHour)
    found = await hours.find({"_id": {"$in": [_hour_id(key) for key in keys]}}, limit=len(keys))
    return {(one.bot_id, one.hour): one for one in found}


def _changes(delivery: _Delivery, stored: Mapping[Key, PerformanceHour]) -> dict[Key, Merged]:
    """What the hours become. Those that hold everything already are settled."""
    changes: dict[Key, Merged] = {}
    for key, samples in list(delivery.hours.items()):
        before = stored.get(key)
        known = {one.minute: one for one in unpack_hour(before)} if before else {}
        merged = merge(known, samples)
        if merged.changed:
            changes[key] = merged
        else:
            delivery.settle(key, merged)
    return changes


async def _write(
    runtime: Runtime,
    delivery: _Delivery,
    stored: Mapping[Key, PerformanceHour],
    changes: Mapping[Key, Merged],
) -> None:
    """Whatever was written by somebody else meanwhile stays in the delivery."""
    hours = runtime.store.collection(PerformanceHour)
    wanted = {key: _hour(key, merged, delivery.token, stored.get(key)) for key, merged in changes.items()}
    new = [hour for key, hour in wanted.items() if key not in stored]
    known = [(hour, stored[key].version) for key, hour in wanted.items() if key in stored]
    inserted, replaced = await asyncio.gather(_insert(hours, new), _replace(hours, known, delivery.token))
    for key in inserted | replaced:
        delivery.settle(key, changes[key])


async def _insert(hours: Collection[PerformanceHour], new: Sequence[PerformanceHour]) -> set[Key]:
    """The hours that weren't there before."""
    taken = frozenset(await hours.insert_many(new))
    return {(hour.bot_id, hour.hour) for position, hour in enumerate(new) if position not in taken}


async def _replace(
    hours: Collection[PerformanceHour], known: Sequence[tuple[PerformanceHour, int]], writer: str
) -> set[Key]:
    """The hours that were still at the versions that were read."""
    updates = [({"_id": hour.id, "version": version}, _replacement(hour)) for hour, version in known]
    if await hours.bulk_update(updates) == len(updates):
        return {(hour.bot_id, hour.hour) for hour, _ in known}
    where = {"_id": {"$in": [hour.id for hour, _ in known]}, "writer": writer}
    rows = await hours.rows(where, fields=["botId", "hour"], limit=len(known))
    return {(row["botId"], row["hour"]) for row in rows}


def unpack_hour(hour: PerformanceHour) -> list[Sample]:
    """The samples of a stored hour, in order."""
    columns = SampleColumns(
        minutes=hour.minutes,
        seq=hour.seq,
        equity=hour.equity,
        realized=hour.realized_pnl,
        unrealized=hour.unrealized_pnl,
        fees=hour.fees,
        volume=hour.volume,
        cash_flow=hour.cash_flow,
    )
    return unpack_samples(hour.hour, columns)


def _hour(key: Key, merged: Merged, writer: str, before: PerformanceHour | None) -> PerformanceHour:
    bot_id, hour = key
    columns, segment = pack_samples(merged.samples), segment_of(merged.samples)
    return PerformanceHour(
        id=_hour_id(key),
        bot_id=bot_id,
        hour=hour,
        version=before.version + 1 if before else 1,
        writer=writer,
        minutes=columns.minutes,
        seq=columns.seq,
        equity=columns.equity,
        realized_pnl=columns.realized,
        unrealized_pnl=columns.unrealized,
        fees=columns.fees,
        volume=columns.volume,
        cash_flow=columns.cash_flow,
        totals=encode_totals(segment.totals),
        curve=encode_curve(segment.curve) if segment.curve else None,
    )


def _replacement(hour: PerformanceHour) -> dict[str, Any]:
    """All that may change in an hour, since a bulk write has updates and no replacements."""
    values = hour.model_dump(by_alias=True, exclude={"id", "bot_id", "hour", "revision_id"})
    if values["curve"] is not None:
        return {"$set": values}
    del values["curve"]
    return {"$set": values, "$unset": {"curve": ""}}


def _hour_id(key: Key) -> str:
    bot_id, hour = key
    return f"{bot_id}|{hour}"


def _places(hours: Mapping[Key, Any]) -> dict[str, Place]:
    first: dict[str, int] = {}
    for bot_id, hour in hours:
        first[bot_id] = min(hour, first.get(bot_id, hour))
    return {bot_id: Place(hour=hour) for bot_id, hour in first.items()}


def _sample(sent: SampleIn) -> Sample:
    """What lies within a minute belongs to its beginning."""
    return Sample(
        minute=epoch_ms(sent.ts) // MS_PER_MINUTE,
        seq=sent.seq,
        equity=sent.equity,
        realized=sent.realized_pnl,
        unrealized=sent.unrealized_pnl,
        fees=sent.fees,
        volume=sent.volume,
        cash_flow=sent.cash_flow,
    )
