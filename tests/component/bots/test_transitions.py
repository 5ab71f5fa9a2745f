"""The life of a bot over HTTP: actions, their conditions, and the events they leave."""

from typing import Any

import pytest
from bots_service import (
    UNKNOWN_ID,
    BotsService,
    Trader,
    asked_for,
    done,
    pages,
    pointers,
    problem,
    user_reference,
)

from bots.documents.trading_bots import BotEvent
from kit.ids import new_id

pytestmark = pytest.mark.anyio


async def test_life_from_created_to_archived_with_runs_and_events(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    walk = ("start", "pause", "start", "stop", "start", "fail", "archive")
    for action in walk:
        markets.clock.advance(60)
        bot = await markets.acted(owner.client, bot, action)
    assert bot["status"] == "archived"
    assert [(run["number"], run["endedBy"]) for run in bot["runs"]] == [(1, "stop"), (2, "fail")]
    assert bot["runCount"] == 2
    events = await pages(owner.client, f"/v1/bots/{bot['botId']}/events", limit=3)
    assert [event["action"] for event in reversed(events)] == list(walk)
    assert [event["run"] for event in reversed(events)] == [1, 1, 1, 1, 2, 2, 2]
    assert {(event["actorId"], event["botId"]) for event in events} == {(owner.id, bot["botId"])}
    assert (events[0]["from"], events[0]["to"], events[0]["reason"]) == ("error", "archived", "to archive")


@pytest.mark.parametrize(
    ("walk", "action", "status", "allowed"),
    [
        ((), "pause", "created", {"start", "archive"}),
        ((), "fail", "created", {"start", "archive"}),
        (("start",), "start", "running", {"pause", "stop", "fail"}),
        (("start",), "archive", "running", {"pause", "stop", "fail"}),
        (("archive",), "start", "archived", set()),
    ],
)
async def test_illegal_action_says_what_is_allowed(
    *, markets: BotsService, owner: Trader, walk: tuple[str, ...], action: str, status: str, allowed: set[str]
) -> None:
    bot = await markets.acted(owner.client, await markets.created(owner), *walk)
    document = problem(await markets.act(owner.client, bot, action), 409, "illegal-transition")
    assert (document["from"], document["action"], set(document["allowed"])) == (status, action, allowed)
    assert done(await owner.client.get(f"/v1/bots/{bot['botId']}"))["status"] == status


async def test_action_needs_no_body(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    started = done(
        await owner.client.post(
            f"/v1/bots/{bot['botId']}/start", references=asked_for(bot), versions={"document": bot["version"]}
        )
    )
    assert started["status"] == "running"
    (event,) = await pages(owner.client, f"/v1/bots/{bot['botId']}/events")
    assert event["reason"] is None


async def test_bad_reason_is_refused(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    bodies: list[Any] = [{"reason": "x" * 501}, {"reason": 5}, {"because": "x"}, []]
    for body in bodies:
        problem(await markets.act(owner.client, bot, "archive", json=body), 422, "invalid-request")


async def test_start_that_was_not_checked_with_the_users_owner_is_refused(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    problem(await markets.act(owner.client, bot, "start", references=[]), 428, "references-not-validated")
    other = [user_reference(new_id())]
    problem(await markets.act(owner.client, bot, "start", references=other), 428, "references-not-validated")


async def test_start_that_was_checked_for_another_version_is_refused(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    for versions in ({"document": 2}, {}, None):
        answer = await markets.act(owner.client, bot, "start", versions=versions)
        problem(answer, 412, "version-mismatch")
    assert done(await owner.client.get(f"/v1/bots/{bot['botId']}"))["status"] == "created"


async def test_live_bot_starts_with_a_checked_account_only(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner, mode="live")
    unchecked = [user_reference(owner.id)]
    problem(await markets.act(owner.client, bot, "start", references=unchecked), 428, "references-not-validated")
    assert done(await markets.act(owner.client, bot, "start"))["status"] == "running"


async def test_live_bot_does_not_start_on_a_halted_pair_and_a_paper_bot_does(
    markets: BotsService, owner: Trader
) -> None:
    live = await markets.created(owner, mode="live", marketPair="NXT/BTC")
    problem(await markets.act(owner.client, live, "start"), 409, "pair-not-active")
    paper = await markets.created(owner, mode="paper", marketPair="NXT/BTC")
    assert done(await markets.act(owner.client, paper, "start"))["status"] == "running"


async def test_stale_if_match_starts_nothing(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    problem(await markets.act(owner.client, bot, "archive", if_match='"7"'), 412, "version-mismatch")
    assert done(await markets.act(owner.client, bot, "archive", if_match='"1"'))["status"] == "archived"


async def test_repeated_action_with_a_key_happens_once(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    first = done(await markets.act(owner.client, bot, "start", idempotency_key="go"))
    again = await markets.act(owner.client, bot, "start", idempotency_key="go")
    assert done(again) == first
    assert len(await pages(owner.client, f"/v1/bots/{bot['botId']}/events")) == 1


async def test_event_that_was_not_written_is_written_by_whoever_comes_next(markets: BotsService, owner: Trader) -> None:
    bot = await markets.acted(owner.client, await markets.created(owner), "start")
    events = markets.runtime.store.collection(BotEvent)
    assert await events.delete_many({"botId": bot["botId"]}) == 1
    bot = await markets.acted(owner.client, bot, "pause")
    assert [event.action for event in await events.find({"botId": bot["botId"]}, limit=9)] == ["start", "pause"]
    assert await events.delete_many({"action": "pause"}) == 1
    shown = await pages(owner.client, f"/v1/bots/{bot['botId']}/events")
    assert {event["action"] for event in shown} == {"start", "pause"}


async def test_engine_ends_trading_and_does_not_begin_it(markets: BotsService, owner: Trader) -> None:
    bot = await markets.acted(owner.client, await markets.created(owner), "start")
    assert done(await markets.act(markets.engine, bot, "fail"))["status"] == "error"
    (newest, _) = await pages(markets.engine, f"/v1/bots/{bot['botId']}/events")
    assert newest["actorId"] == UNKNOWN_ID
    bot = done(await markets.engine.get(f"/v1/bots/{bot['botId']}"))
    for action in ("start", "archive"):
        problem(await markets.act(markets.engine, bot, action), 403, "forbidden")


async def test_stranger_acts_on_nothing(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    stranger = markets.trader().client
    for action in ("start", "pause", "stop", "fail", "archive"):
        problem(await markets.act(stranger, bot, action), 404, "not-found")


async def test_runs_are_kept_up_to_a_limit_and_counted_beyond(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    for _ in range(52):
        bot = await markets.acted(owner.client, bot, "start", "stop")
    assert bot["runCount"] == 52
    assert [run["number"] for run in bot["runs"]] == list(range(3, 53))


@pytest.mark.parametrize("query", ["limit=0", "cursor=zzz", "sort=reason"])
async def test_bad_query_of_events_is_refused(markets: BotsService, owner: Trader, query: str) -> None:
    bot = await markets.created(owner)
    document = problem(await owner.client.get(f"/v1/bots/{bot['botId']}/events?{query}"), 422, "invalid-request")
    assert pointers(document) == {f"/{query.split('=', maxsplit=1)[0]}"}
