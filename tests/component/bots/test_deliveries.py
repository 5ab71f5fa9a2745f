"""Deliveries of samples and trades: repeated, in any order, by whom they may be, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest
from bots_service import (
    UNKNOWN_ID,
    BotsService,
    Trader,
    bot_reference,
    done,
    pages,
    pointers,
    problem,
    sample,
    trade,
)

from kit.ids import new_id

pytestmark = pytest.mark.anyio

COUNTS = ("received", "created", "updated", "unchanged")


def counts(answer: Any) -> tuple[int, ...]:
    body = done(answer)
    return tuple(body[name] for name in COUNTS)


async def test_samples_are_created_once_and_updated_by_a_greater_seq(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    batch = [sample(minute) for minute in (0, 1, 59, 60, 1500)]
    assert counts(await markets.deliver(owner.client, bot, "samples", batch)) == (5, 5, 0, 0)
    assert counts(await markets.deliver(owner.client, bot, "samples", batch)) == (5, 0, 0, 5)
    newer = [sample(1, equity="7", seq=2), sample(59, equity="8", seq=0), sample(2)]
    assert counts(await markets.deliver(owner.client, bot, "samples", newer)) == (3, 1, 1, 1)
    history = await pages(owner.client, f"/v1/bots/{bot['botId']}/performance/history", limit=2)
    assert [(item["ts"][8:16], item["equity"]) for item in history] == [
        ("01T00:00", "1000"),
        ("01T00:01", "7"),
        ("01T00:02", "1002"),
        ("01T00:59", "1059"),
        ("01T01:00", "1060"),
        ("02T01:00", "2500"),
    ]


async def test_what_lies_within_a_minute_belongs_to_its_beginning(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    within = [sample(0, ts="2026-01-01T01:00:59.999+01:00"), sample(0, ts="2026-01-01T00:00:10Z", seq=2, equity="5")]
    assert counts(await markets.deliver(owner.client, bot, "samples", within)) == (2, 1, 1, 0)
    (item,) = await pages(owner.client, f"/v1/bots/{bot['botId']}/performance/history")
    assert (item["ts"], item["equity"], item["seq"]) == ("2026-01-01T00:00:00.000Z", "5", 2)


async def test_history_is_bounded_by_from_and_to(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    await markets.deliver(owner.client, bot, "samples", [sample(minute) for minute in range(50, 130)])
    path = f"/v1/bots/{bot['botId']}/performance/history"
    bounds = {"from": "2026-01-01T00:59:30Z", "to": "2026-01-01T01:02:00Z"}
    first = done(await owner.client.get(path, params={**bounds, "limit": 1}))
    assert (first["currency"], first["resolution"]) == ("USDT", "1m")
    shown = await pages(owner.client, path, limit=1, **bounds)
    assert [item["equity"] for item in shown] == ["1060", "1061"]
    assert len(await pages(owner.client, path, **{"from": "2026-01-01T02:00:00Z"})) == 10
    assert await pages(owner.client, path, to="2026-01-01T00:50:00Z") == []
    other = await owner.client.get(path, params={"cursor": first["nextCursor"]})
    assert pointers(problem(other, 422, "invalid-request")) == {"/cursor"}


async def test_cursor_of_another_bots_history_is_refused(markets: BotsService, owner: Trader) -> None:
    one, other = await markets.created(owner), await markets.created(owner)
    for bot in (one, other):
        await markets.deliver(owner.client, bot, "samples", [sample(minute) for minute in range(3)])
    page = done(await owner.client.get(f"/v1/bots/{one['botId']}/performance/history?limit=1"))
    path = f"/v1/bots/{other['botId']}/performance/history"
    answer = await owner.client.get(path, params={"limit": 1, "cursor": page["nextCursor"]})
    assert pointers(problem(answer, 422, "invalid-request")) == {"/cursor"}


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "to=2026-01-01T00:00:00",
        "from=9999-01-01T00:00:00Z",
        "limit=0",
        "sort=ts",
        "cursor=x",
        "resolution=1y",
    ],
)
async def test_bad_query_of_a_history_is_refused(markets: BotsService, owner: Trader, query: str) -> None:
    bot = await markets.created(owner)
    answer = await owner.client.get(f"/v1/bots/{bot['botId']}/performance/history?{query}")
    assert pointers(problem(answer, 422, "invalid-request")) == {f"/{query.split('=', maxsplit=1)[0]}"}


async def test_samples_of_many_bots_come_at_once(markets: BotsService, owner: Trader) -> None:
    bots = [await markets.created(owner) for _ in range(3)]
    body = {"bots": [{"botId": bot["botId"], "samples": [sample(m) for m in range(70)]} for bot in bots]}
    references = [bot_reference(bot["botId"]) for bot in bots]
    answer = await markets.engine.post("/v1/performance/samples", json=body, references=references)
    assert counts(answer) == (210, 210, 0, 0)
    assert [(one["botId"], one["created"]) for one in answer.json()["bots"]] == [(bot["botId"], 70) for bot in bots]
    again = await markets.engine.post("/v1/performance/samples", json=body, references=references)
    assert counts(again) == (210, 0, 0, 210)
    for bot in bots:
        assert (await markets.performance(owner.client, bot))["equity"] == "1069"


async def test_unknown_and_foreign_bots_among_many_are_named_and_nothing_is_written(
    markets: BotsService, owner: Trader
) -> None:
    own, foreign = await markets.created(owner), await markets.created(markets.trader())
    named = [own["botId"], UNKNOWN_ID, foreign["botId"]]
    body = {"bots": [{"botId": bot_id, "samples": [sample()]} for bot_id in named]}
    references = [bot_reference(bot_id) for bot_id in named]
    answer = await owner.client.post("/v1/performance/samples", json=body, references=references)
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/bots/1/botId", "/bots/2/botId"}
    assert await pages(owner.client, f"/v1/bots/{own['botId']}/performance/history") == []


async def test_bot_that_is_not_in_the_store_is_not_found(markets: BotsService) -> None:
    bot = {"botId": UNKNOWN_ID}
    for what, item in (("samples", sample()), ("trades", trade())):
        problem(await markets.deliver(markets.engine, bot, what, [item]), 404, "not-found")


@pytest.mark.parametrize("what", ["samples", "trades"])
async def test_delivery_is_for_engines_and_for_the_owner_of_a_paper_bot(
    markets: BotsService, owner: Trader, what: str
) -> None:
    item = sample() if what == "samples" else trade()
    paper, live = await markets.created(owner), await markets.created(owner, mode="live")
    for client, bot in ((owner.client, paper), (markets.admin, paper), (markets.engine, paper), (markets.engine, live)):
        assert done(await markets.deliver(client, bot, what, [item]))["received"] == 1
    problem(await markets.deliver(owner.client, live, what, [item]), 403, "forbidden")
    problem(await markets.deliver(markets.admin, live, what, [item]), 403, "forbidden")
    problem(await markets.deliver(markets.trader().client, paper, what, [item]), 404, "not-found")


@pytest.mark.parametrize("path", ["/v1/bots/{}/performance/samples", "/v1/bots/{}/performance/trades"])
async def test_delivery_that_did_not_pass_the_gateway_is_refused(refusing: BotsService, path: str) -> None:
    answer = await refusing.gateway.bare("POST", path.format(new_id()), json={})
    problem(answer, 428, "references-not-validated")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ts", "2026-01-01T00:00:00"),
        ("ts", "9999-01-01T00:00:00Z"),
        ("ts", "1999-12-31T23:59:59Z"),
        ("ts", 1767225600),
        ("ts", None),
        ("equity", 1000),
        ("equity", 1000.5),
        ("equity", "1e3"),
        ("equity", "NaN"),
        ("equity", "1.0000000000000000001"),
        ("equity", "1\x00"),
        ("volume", "-1"),
        ("cashFlow", True),
        ("seq", -1),
        ("seq", 2**63),
        ("seq", "1"),
        ("seq", 1.5),
        ("realized_pnl", "1"),
        ("note", "x"),
    ],
)
async def test_bad_sample_is_refused_at_its_field(refusing: BotsService, field: str, value: Any) -> None:
    bot = {"botId": new_id()}
    answer = await refusing.deliver(refusing.engine, bot, "samples", [sample(), sample(1, **{field: value})])
    assert pointers(problem(answer, 422, "invalid-request")) == {f"/samples/1/{field}"}


async def test_sample_of_a_day_to_come_is_refused(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)

    def ahead(hours: float) -> str:
        return (markets.clock.now() + timedelta(hours=hours)).isoformat()

    done(await markets.deliver(owner.client, bot, "samples", [sample(ts=ahead(23.9))]))
    batch = [sample(), sample(ts=ahead(24.1))]
    answer = await markets.deliver(owner.client, bot, "samples", batch)
    assert pointers(problem(answer, 422, "invalid-request")) == {"/samples/1/ts"}
    many = {"bots": [{"botId": bot["botId"], "samples": batch}]}
    references = [bot_reference(bot["botId"])]
    answer = await markets.engine.post("/v1/performance/samples", json=many, references=references)
    assert pointers(problem(answer, 422, "invalid-request")) == {"/bots/0/samples/1/ts"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tradeId", ""),
        ("tradeId", "x" * 65),
        ("side", "sideways"),
        ("closedAt", "2025-12-31T00:00:00Z"),
        ("openedAt", "soon"),
        ("amount", "0"),
        ("amount", "-1"),
        ("amount", 1),
        ("openPrice", "-1"),
        ("closePrice", "a"),
        ("fee", 0.1),
        ("profit", "1e400"),
        ("marketPair", ""),
        ("trade_id", "x"),
    ],
)
async def test_bad_trade_is_refused_at_its_field(refusing: BotsService, field: str, value: Any) -> None:
    bot = {"botId": new_id()}
    answer = await refusing.deliver(refusing.engine, bot, "trades", [trade(), trade(1, **{field: value})])
    assert pointers(problem(answer, 422, "invalid-request")) == {f"/trades/1/{field}"}


async def test_batches_have_a_size(refusing: BotsService) -> None:
    bot = {"botId": new_id()}
    for what, item in (("samples", sample()), ("trades", trade())):
        for items in ([], [item] * 1001):
            answer = await refusing.deliver(refusing.engine, bot, what, items)
            assert pointers(problem(answer, 422, "invalid-request")) == {f"/{what}"}
    for named in ([bot["botId"]] * 2, [new_id() for _ in range(201)]):
        body = {"bots": [{"botId": one, "samples": [sample()]} for one in named]}
        problem(await refusing.engine.post("/v1/performance/samples", json=body), 422, "invalid-request")
    many = {"bots": [{"botId": new_id(), "samples": [sample()] * 600} for _ in range(2)]}
    problem(await refusing.engine.post("/v1/performance/samples", json=many), 422, "invalid-request")


async def test_trades_are_created_once_and_the_last_delivery_counts(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    batch = [trade(number) for number in range(3)]
    assert counts(await markets.deliver(owner.client, bot, "trades", batch)) == (3, 3, 0, 0)
    assert counts(await markets.deliver(owner.client, bot, "trades", batch)) == (3, 0, 0, 3)
    changed = [trade(0), trade(1, profit="-5", marketPair="BTC/USDT"), trade(3, side="sell")]
    assert counts(await markets.deliver(owner.client, bot, "trades", changed)) == (3, 1, 1, 1)
    shown = await pages(owner.client, f"/v1/bots/{bot['botId']}/performance/trades", limit=3)
    assert [item["tradeId"] for item in shown] == ["t0", "t1", "t2", "t3"]
    assert (shown[1]["profit"], shown[1]["marketPair"], shown[3]["side"]) == ("-5", "BTC/USDT", "short")
    assert (await markets.performance(owner.client, bot))["realizedPnl"] == "25"
    assert counts(await markets.deliver(owner.client, bot, "trades", [trade(1)])) == (1, 0, 1, 0)
    assert (await markets.performance(owner.client, bot))["realizedPnl"] == "40"


async def test_trade_that_moves_in_time_takes_its_result_along(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    await markets.deliver(owner.client, bot, "trades", [trade(number, profit="-100") for number in range(3)])
    assert (await markets.performance(owner.client, bot))["streaks"] == {"wins": 0, "losses": 3}
    moved = trade(0, openedAt="2026-01-09T00:00:00Z", closedAt="2026-01-10T00:00:00Z", profit="500")
    await markets.deliver(owner.client, bot, "trades", [moved])
    shown = await markets.performance(owner.client, bot)
    assert (shown["streaks"], shown["asOf"][:10]) == ({"wins": 1, "losses": 2}, "2026-01-10")
    assert shown["maxDrawdown"]["absolute"] == "202"


async def test_one_trade_in_two_ways_is_refused_and_twice_in_one_is_one(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    two_ways = [trade(0), trade(1), trade(0, profit="11")]
    answer = await markets.deliver(owner.client, bot, "trades", two_ways)
    assert pointers(problem(answer, 422, "invalid-request")) == {"/trades/2/tradeId"}
    assert counts(await markets.deliver(owner.client, bot, "trades", [trade(0), trade(0)])) == (2, 1, 0, 1)


async def test_repeated_delivery_with_a_key_is_replayed(markets: BotsService, owner: Trader) -> None:
    bot = await markets.created(owner)
    first = await markets.deliver(owner.client, bot, "samples", [sample()], idempotency_key="k")
    again = await markets.deliver(owner.client, bot, "samples", [sample()], idempotency_key="k")
    assert counts(first) == counts(again) == (1, 1, 0, 0)
