"""Deleting bots: from which states, by whom, and against starts and deliveries at the same time."""

import asyncio
from typing import Any

import pytest
from bots_service import UNKNOWN_ID, BotsService, Trader, problem, sample, trade
from mock_store import Faults
from owner_deletes import applied, begin, begun, closed, finished, plan, purged, refused, removed

from bots.documents.bot_performance import BotPerformance, ClosedTrade, PerformanceHour
from bots.documents.trading_bots import BotEvent, TradingBot
from kit.documents import Stored
from kit.references.deletes.parts import SEEN_TWICE_AFTER_S

pytestmark = pytest.mark.anyio

Replicas = tuple[BotsService, BotsService]
Bot = dict[str, Any]
KINDS: tuple[tuple[type[Stored], str], ...] = (
    (TradingBot, "_id"),
    (BotEvent, "botId"),
    (BotPerformance, "botId"),
    (PerformanceHour, "botId"),
    (ClosedTrade, "botId"),
)
PATHS = {
    "created": (),
    "stopped": ("start", "stop"),
    "error": ("start", "fail"),
    "archived": ("start", "stop", "archive"),
}


async def left_of(service: BotsService, bot: Bot) -> dict[str, int]:
    """What is stored of a bot, by collection."""
    store = service.runtime.store
    counts = {
        kind.collection_name(): await store.collection(kind).count({field: bot["botId"]}) for kind, field in KINDS
    }
    return {name: count for name, count in counts.items() if count}


async def swept(service: BotsService) -> None:
    """What the worker does within two minutes."""
    for _ in range(2):
        await service.runtime.references.parts.sweep()
        service.clock.advance(SEEN_TWICE_AFTER_S)
    await service.runtime.references.parts.sweep()


@pytest.mark.parametrize("status", PATHS)
async def test_bot_at_rest_goes_with_all_that_is_its(markets: BotsService, owner: Trader, status: str) -> None:
    bot = await markets.acted(owner.client, await markets.created(owner), *PATHS[status])
    other = await markets.created(owner)
    for one in (bot, other):
        await markets.deliver(markets.engine, one, "samples", [sample(0), sample(90)])
        await markets.deliver(markets.engine, one, "trades", [trade(0)])
    await removed(owner.client, "deleteBot", botId=bot["botId"])
    assert await left_of(markets, bot) == {}
    assert set(await left_of(markets, other)) == {name.collection_name() for name, _ in KINDS} - {"bot_events"}
    problem(await owner.client.get(f"/v1/bots/{bot['botId']}"), 404, "not-found")
    problem(await begin(owner.client, "deleteBot", botId=bot["botId"]), 404, "not-found")


@pytest.mark.parametrize(
    ("actions", "allowed"), [(("start",), ["pause", "stop", "fail"]), (("start", "pause"), ["start", "stop", "fail"])]
)
@pytest.mark.parametrize("ask", [plan, begin])
async def test_bot_that_trades_is_not_deleted(
    markets: BotsService, owner: Trader, ask: Any, actions: tuple[str, ...], allowed: list[str]
) -> None:
    bot = await markets.acted(owner.client, await markets.created(owner), *actions)
    document = problem(await ask(owner.client, "deleteBot", botId=bot["botId"]), 409, "illegal-transition")
    assert (document["from"], document["action"], document["allowed"]) == (bot["status"], "delete", allowed)


async def test_bot_is_deleted_by_its_owner_or_an_admin(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    path = {"botId": bot["botId"]}
    problem(await begin(markets.trader().client, "deleteBot", **path), 404, "not-found")
    problem(await begin(markets.engine, "deleteBot", **path), 403, "forbidden")
    treasurer = markets.gateway.as_(UNKNOWN_ID, ["user", "treasury"])
    problem(await begin(treasurer, "deleteBot", **path), 403, "forbidden")
    problem(await begin(markets.admin, "deleteBot", botId=UNKNOWN_ID), 404, "not-found")
    problem(await begin(owner.client, "deleteBot", if_match=2, **path), 412, "version-mismatch")
    problem(await owner.client.delete(f"/v1/bots/{bot['botId']}"), 428, "references-not-validated")
    await removed(markets.admin, "deleteBot", **path)


async def test_name_of_a_deleted_bot_is_free_again(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner, name="mine")
    await removed(owner.client, "deleteBot", botId=bot["botId"])
    await markets.created(owner, name="mine")


async def test_bot_started_before_the_mark_is_not_marked(replicas: Replicas, faults: Faults) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    mark = faults.add("hold", "update_one", "trading_bots")
    deleting = asyncio.create_task(begin(owner.client, "deleteBot", botId=bot["botId"]))
    await mark.gate.reached.wait()
    running = await other.acted(other.here(owner.client), bot, "start")
    mark.gate.open()
    assert (await deleting).json()["state"] == "changed"
    problem(await begin(owner.client, "deleteBot", botId=bot["botId"]), 409, "illegal-transition")
    assert running["status"] == "running"


@pytest.mark.parametrize("held", [0, 1])
async def test_bot_marked_before_its_start_commits_does_not_start(
    replicas: Replicas, faults: Faults, held: int
) -> None:
    """Held before its slot is written, and before it is committed."""
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    commit = faults.add("hold", "bulk_write", "trading_bots", skip=held)
    starting = asyncio.create_task(one.act(owner.client, bot, "start"))
    await commit.gate.reached.wait()
    deletion = await begun(other.here(owner.client), "deleteBot", botId=bot["botId"])
    commit.gate.open()
    problem(await starting, 503, "unavailable")
    there = other.here(owner.client)
    assert await closed(there, deletion) == []
    await purged(there, deletion)
    problem(await one.act(owner.client, bot, "start"), 404, "not-found")
    await applied(there, deletion)
    await finished(there, deletion)
    assert await left_of(one, bot) == {}


async def test_bot_whose_delete_was_refused_starts_again(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    await refused(owner.client, await begun(owner.client, "deleteBot", botId=bot["botId"]))
    assert (await markets.acted(owner.client, bot, "start"))["status"] == "running"


async def test_first_delivery_to_a_bot_that_is_going_is_refused_and_leaves_nothing(replicas: Replicas) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    deletion = await begun(owner.client, "deleteBot", botId=bot["botId"])
    await closed(owner.client, deletion)
    for what, items in (("samples", [sample(0)]), ("trades", [trade(0)])):
        answer = await other.deliver(other.engine, bot, what, items)
        problem(answer, 409, "reference-closed")
    await purged(owner.client, deletion)
    await applied(owner.client, deletion)
    await finished(owner.client, deletion)
    assert await left_of(one, bot) == {}


@pytest.mark.parametrize(
    ("what", "items", "collection"),
    [("samples", [sample(0)], "bot_performance_hours"), ("trades", [trade(0)], "bot_performance_trades")],
)
async def test_delivery_overtaken_by_the_delete_leaves_nothing_behind(
    replicas: Replicas, faults: Faults, what: str, items: list[Any], collection: str
) -> None:
    """It had announced itself in the record; what it writes afterwards is found when the bot is long gone."""
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    writing = faults.add("hold", "insert_many", collection)
    delivering = asyncio.create_task(one.deliver(one.engine, bot, what, items))
    await writing.gate.reached.wait()
    await removed(other.here(owner.client), "deleteBot", botId=bot["botId"])
    assert await left_of(one, bot) == {}
    writing.gate.open()
    await delivering
    await swept(other)
    assert await left_of(one, bot) == {}


async def test_event_written_after_its_bot_went_is_found(replicas: Replicas, faults: Faults) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    writing = faults.add("hold", "insert_many", "bot_events")
    archiving = asyncio.create_task(one.act(owner.client, bot, "archive"))
    await writing.gate.reached.wait()
    await removed(other.here(owner.client), "deleteBot", botId=bot["botId"])
    writing.gate.open()
    await archiving
    await swept(other)
    assert await left_of(one, bot) == {}


async def test_deletes_are_documented(refusing: BotsService) -> None:
    paths = refusing.gateway.app.openapi()["paths"]
    for path, conflicts in (("/v1/bots/{botId}", ["illegal-transition"]),):
        operation = paths[path]["delete"]
        assert {"202", "204", "404", "409", "412"} <= operation["responses"].keys()
        assert operation["responses"]["202"]["headers"].keys() == {"Location", "Preference-Applied"}
        assert set(operation["responses"]["409"]["x-codes"]) == {"delete-restricted", *conflicts}
        assert "resource-deleted" in paths[path.rpartition("/")[0]]["post"]["responses"]["409"]["x-codes"]
