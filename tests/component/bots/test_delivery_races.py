"""Deliveries by several replicas at once, with lost answers and deaths in between, on a store that yields."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from bots_service import BotsService, Trader, done, pages, problem, sample, trade
from mock_store import Faults

from bots.documents.bot_performance import BotPerformance, ClosedTrade
from bots.domain.moments import epoch_ms
from bots.domain.samples import hour_of
from bots.operations.deliveries import WRITER_LIFE_S

pytestmark = pytest.mark.anyio

Replicas = tuple[BotsService, BotsService]


async def performance_made_anew(service: BotsService, owner: Trader, bot: dict[str, Any]) -> dict[str, Any]:
    """The figures as a record gives them that has never been read before."""
    records = service.runtime.store.collection(BotPerformance)
    nothing_kept = {"figures": "", "samples": "", "trades": ""}
    stale = {"staleHour": 0, "staleClosedMs": 0, "sampleCheckpoints": [], "tradeCheckpoints": [], "writing": {}}
    assert await records.update({"_id": bot["botId"]}, {"$unset": nothing_kept, "$set": stale})
    return await service.performance(owner.client, bot)


async def test_replicas_that_take_the_same_samples_at_once_count_each_once(replicas: Replicas) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    batches = [[sample(minute) for minute in range(start, start + 90)] for start in (0, 60, 30, 90, 0)]
    deliveries = [
        service.deliver(service.engine, bot, "samples", batch) for batch in batches for service in (one, other)
    ]
    readings = asyncio.gather(*(one.performance(owner.client, bot) for _ in range(5)))
    outcomes = [done(answer) for answer in await asyncio.gather(*deliveries)]
    await readings
    assert sum(outcome["created"] for outcome in outcomes) == 180
    assert sum(outcome["created"] + outcome["unchanged"] for outcome in outcomes) == sum(map(len, batches)) * 2
    assert len(await pages(owner.client, f"/v1/bots/{bot['botId']}/performance/history", limit=200)) == 180
    shown = await other.performance(owner.client, bot)
    assert shown["equity"] == "1179"
    assert shown == await performance_made_anew(one, owner, bot)


async def test_replicas_that_fill_one_hour_at_once_lose_nothing(replicas: Replicas) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    done(await one.deliver(one.engine, bot, "samples", [sample(0)]))
    answers = await asyncio.gather(
        *(
            service.deliver(service.engine, bot, "samples", [sample(minute), sample(minute + 10)])
            for minute in range(1, 6)
            for service in (one, other)
        )
    )
    assert sum(done(answer)["created"] for answer in answers) == 10
    assert len(await pages(owner.client, f"/v1/bots/{bot['botId']}/performance/history")) == 11
    assert (await one.performance(owner.client, bot))["equity"] == "1015"


async def test_replicas_that_change_one_trade_at_once_leave_one_of_their_versions(replicas: Replicas) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    done(await one.deliver(one.engine, bot, "trades", [trade(0)]))
    answers = await asyncio.gather(
        *(
            service.deliver(service.engine, bot, "trades", [trade(0, profit=str(profit))])
            for profit in (20, 30)
            for service in (one, other)
        )
    )
    updated = sum(done(answer)["updated"] for answer in answers)
    stored = await one.runtime.store.collection(ClosedTrade).find_one({"botId": bot["botId"]})
    assert stored is not None
    assert stored.version == 1 + updated
    (left,) = await pages(owner.client, f"/v1/bots/{bot['botId']}/performance/trades")
    assert left["profit"] in {"20", "30"}
    assert (await other.performance(owner.client, bot))["realizedPnl"] == left["profit"]


async def test_replicas_that_take_the_same_trades_at_once_count_each_once(replicas: Replicas) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    trades = [trade(number) for number in range(20)]
    answers = await asyncio.gather(
        *(
            service.deliver(service.engine, bot, "trades", trades[start:])
            for start in (0, 5)
            for service in (one, other)
        )
    )
    assert sum(done(answer)["created"] for answer in answers) == 20
    shown = await other.performance(owner.client, bot)
    assert (shown["trades"]["closed"], shown["netPnl"]) == (20, "180")


async def test_reading_while_others_deliver_never_keeps_an_old_figure(replicas: Replicas) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)

    async def deliver(service: BotsService, start: int) -> None:
        for minute in range(start, start + 600, 60):
            done(await service.deliver(service.engine, bot, "samples", [sample(minute), sample(minute + 7)]))

    async def read(service: BotsService) -> None:
        for _ in range(15):
            await service.performance(owner.client, bot)

    await asyncio.gather(deliver(one, 0), deliver(other, 3), deliver(other, 1500), read(one), read(other))
    shown = await one.performance(owner.client, bot)
    assert shown == await other.performance(owner.client, bot)
    assert shown == await performance_made_anew(one, owner, bot)
    record = await one.runtime.store.collection(BotPerformance).get(bot["botId"])
    assert record is not None
    assert (record.writing, record.figures_revision) == ({}, record.revision)


@pytest.mark.parametrize("what", ["samples", "trades"])
async def test_figures_are_true_after_a_writer_died_before_it_ended(
    replicas: Replicas, faults: Faults, what: str
) -> None:
    one, _ = replicas
    owner = one.trader()
    bot = await one.created(owner)
    items = [sample(1440 * number) if what == "samples" else trade(number) for number in range(3)]
    done(await one.deliver(one.engine, bot, what, items[:1]))
    await one.performance(owner.client, bot)
    faults.add("refuse", "update_one", "bot_performance", skip=1)
    problem(await one.deliver(one.engine, bot, what, items[1:2]), 503, "unavailable")
    shown = await one.performance(owner.client, bot)
    assert shown == await one.performance(owner.client, bot)
    assert (shown["equity"], shown["trades"]["closed"]) == (("2440", 0) if what == "samples" else ("1018", 2))

    one.clock.advance(WRITER_LIFE_S + 1)
    assert await one.performance(owner.client, bot) == shown
    record = await one.runtime.store.collection(BotPerformance).get(bot["botId"])
    assert record is not None
    assert record.writing == {}
    assert record.figures_revision == record.revision


async def test_reading_between_announcement_and_writing_keeps_no_old_figure(replicas: Replicas, faults: Faults) -> None:
    """The writer dies after its parts are written and before it says so; a reader came in between."""
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    done(await one.deliver(one.engine, bot, "samples", [sample(0)]))
    held = faults.add("hold", "insert_many", "bot_performance_hours")
    delivery = asyncio.create_task(one.deliver(one.engine, bot, "samples", [sample(90)]))
    await held.gate.reached.wait()
    assert (await other.performance(owner.client, bot))["equity"] == "1000"
    record = await one.runtime.store.collection(BotPerformance).get(bot["botId"])
    assert record is not None
    assert record.stale_hour == hour_of(epoch_ms(datetime(2026, 1, 1, 1, 30, tzinfo=UTC)) // 60_000)
    faults.add("refuse", "update_one", "bot_performance")
    held.gate.open()
    problem(await delivery, 503, "unavailable")
    assert (await other.performance(owner.client, bot))["equity"] == "1090"


async def test_figures_that_were_overtaken_are_not_kept_as_current(replicas: Replicas, faults: Faults) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    done(await one.deliver(one.engine, bot, "samples", [sample(0)]))
    held = faults.add("hold", "update_one", "bot_performance")
    reading = asyncio.create_task(one.performance(owner.client, bot))
    await held.gate.reached.wait()
    done(await other.deliver(other.engine, bot, "samples", [sample(90)]))
    held.gate.open()
    assert (await reading)["equity"] == "1000"
    assert (await other.performance(owner.client, bot))["equity"] == "1090"


async def test_writer_that_ends_after_it_was_given_up_is_still_counted(replicas: Replicas, faults: Faults) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    done(await one.deliver(one.engine, bot, "samples", [sample(0)]))
    held = faults.add("hold", "insert_many", "bot_performance_hours")
    delivery = asyncio.create_task(one.deliver(one.engine, bot, "samples", [sample(90)]))
    await held.gate.reached.wait()
    other.clock.advance(WRITER_LIFE_S + 1)
    assert (await other.performance(owner.client, bot))["equity"] == "1000"
    held.gate.open()
    done(await delivery)
    assert (await other.performance(owner.client, bot))["equity"] == "1090"


@pytest.mark.parametrize("kind", ["refuse", "lose"])
@pytest.mark.parametrize(
    ("operation", "collection"),
    [
        ("insert_many", "bot_performance_hours"),
        ("bulk_write", "bot_performance_hours"),
        ("update_one", "bot_performance"),
        ("find", "bot_performance_hours"),
    ],
)
async def test_delivery_that_failed_may_be_sent_again(
    *, replicas: Replicas, faults: Faults, kind: str, operation: str, collection: str
) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    done(await one.deliver(one.engine, bot, "samples", [sample(0)]))
    batch = [sample(minute) for minute in (1, 2, 70)]
    faults.add(kind, operation, collection)
    await one.deliver(one.engine, bot, "samples", batch)
    assert done(await other.deliver(other.engine, bot, "samples", batch))["received"] == 3
    shown = await other.performance(owner.client, bot)
    assert (shown["equity"], shown["asOf"]) == ("1070", "2026-01-01T01:10:00.000Z")
    history = await pages(owner.client, f"/v1/bots/{bot['botId']}/performance/history")
    assert [item["equity"] for item in history] == ["1000", "1001", "1002", "1070"]
