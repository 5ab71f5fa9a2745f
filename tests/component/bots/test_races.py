"""Several replicas at once and answers that are lost, on a store that yields around every operation."""

import asyncio

import pytest
from bots_service import BotsService, done, pages, problem
from mock_store import Faults

pytestmark = pytest.mark.anyio

Replicas = tuple[BotsService, BotsService]


async def test_action_whose_event_was_not_written_is_finished_by_its_repetition(
    replicas: Replicas, faults: Faults
) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    faults.add("refuse", "insert_many", "bot_events")
    problem(await one.act(owner.client, bot, "start", idempotency_key="go"), 503, "unavailable")
    there = other.here(owner.client)
    again = await other.act(there, bot, "start", idempotency_key="go")
    assert done(again)["status"] == "running"
    (event,) = await pages(there, f"/v1/bots/{bot['botId']}/events")
    assert event["action"] == "start"


async def test_create_whose_answer_was_lost_is_found_by_its_repetition(replicas: Replicas, faults: Faults) -> None:
    one, other = replicas
    owner = one.trader()
    faults.add("lose", "update_many", "trading_bots")
    first = await one.create(owner, name="once", idempotency_key="k")
    again = await other.create(owner, name="once", idempotency_key="k", client=other.here(owner.client))
    bots = await pages(owner.client, "/v1/bots")
    assert len(bots) == 1
    assert done(again)["botId"] == bots[0]["botId"]
    assert first.status_code in (201, 503)


async def test_of_two_starts_at_once_one_happens(replicas: Replicas) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    answers = await asyncio.gather(
        *(service.act(service.here(owner.client), bot, "start") for service in (one, other, one))
    )
    assert sorted(answer.status_code for answer in answers)[0] == 200
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.json()["code"] for answer in answers if answer.status_code != 200} <= {
        "illegal-transition",
        "version-mismatch",
    }
    assert len(await pages(owner.client, f"/v1/bots/{bot['botId']}/events")) == 1


async def test_changes_at_once_are_all_kept(replicas: Replicas) -> None:
    one, other = replicas
    owner = one.trader()
    bot = await one.created(owner)
    path = f"/v1/bots/{bot['botId']}"
    patches = [(one, {"notes": "n"}), (other, {"tags": ["t"]}), (one, {"maxDrawdownStop": 0.5}), (other, {"name": "x"})]
    answers = await asyncio.gather(*(service.here(owner.client).patch(path, json=patch) for service, patch in patches))
    assert [answer.status_code for answer in answers] == [200] * 4
    shown = done(await owner.client.get(path))
    assert (shown["notes"], shown["tags"], shown["maxDrawdownStop"], shown["name"]) == ("n", ["t"], 0.5, "x")
    assert shown["version"] == 5


async def test_of_two_bots_with_one_name_at_once_one_is_made(replicas: Replicas) -> None:
    one, other = replicas
    owner = one.trader()
    answers = await asyncio.gather(
        *(service.create(owner, name="same", client=service.here(owner.client)) for service in (one, other, one, other))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert len(await pages(owner.client, "/v1/bots")) == 1


async def test_imports_at_once_create_each_pair_once(replicas: Replicas) -> None:
    one, other = replicas
    outcomes = await asyncio.gather(*(service.import_markets("kraken") for service in (one, other, one, other)))
    assert sum(outcome["created"] for outcome in outcomes) == 3
    assert all(outcome["created"] + outcome["unchanged"] == 3 for outcome in outcomes)
    assert len(await pages(one.admin, "/v1/market-pairs", exchange="kraken")) == 3
