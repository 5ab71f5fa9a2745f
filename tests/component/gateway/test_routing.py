"""Routed requests: what reaches a service, what comes back, and what is refused on the way."""

import asyncio
import gzip
import time
from typing import Any

import pytest
from api import problem
from stub_platform import ALICE, BOT
from stub_services import Seen, replies

pytestmark = pytest.mark.anyio


async def test_request_reaches_the_service_of_its_path_with_query_and_caller(platform: Any, alice: Any) -> None:
    answer = await alice.get("/v1/bots?userId=x&limit=5")
    assert answer.json() == {"service": "bots", "method": "GET", "target": "/v1/bots?userId=x&limit=5"}
    [seen] = platform.bots.routed
    assert seen.context.caller.id == ALICE
    assert seen.context.caller.roles == {"user"}


async def test_fixed_segment_wins_over_a_variable_one(platform: Any, alice: Any) -> None:
    assert (await alice.get("/v1/users/me")).json()["target"] == "/v1/users/me"
    assert (await alice.get(f"/v1/users/{ALICE}")).json()["target"] == f"/v1/users/{ALICE}"


async def test_path_and_query_are_passed_on_byte_for_byte(platform: Any, alice: Any) -> None:
    await alice.get("/v1/bots/a%20b%2Fc?x=%C3%A4&x=2&y")
    [seen] = platform.bots.routed
    assert seen.target == "/v1/bots/a%20b%2Fc?x=%C3%A4&x=2&y"
    assert seen.context is not None


@pytest.mark.parametrize(
    "path",
    [
        "/v1/nothing",
        "/v1/bots/",
        "/v1//bots",
        "/v1/bots/%2e%2e",
        "/v1/bots/..%2f..",
        "/internal/references/validate",
        "/internal",
        "/metrics/x",
        "/",
    ],
)
async def test_unknown_path_is_not_found(platform: Any, alice: Any, path: str) -> None:
    answer = await alice.get(path)
    if path == "/v1/bots/..%2f..":
        assert answer.status_code == 200  # one segment, whatever it decodes to; the service gets it as it was sent
        return
    problem(answer, 404, "not-found")
    assert platform.bots.routed == []


async def test_internal_and_metrics_of_services_are_never_routed(platform: Any, alice: Any) -> None:
    problem(await alice.post("/internal/references/validate", json={"items": []}), 404, "not-found")
    assert "gateway" in (await alice.get("/metrics")).text
    assert platform.users.to("/metrics") == []


async def test_known_path_with_another_method_says_which_ones_it_takes(alice: Any) -> None:
    answer = await alice.delete("/v1/bots")
    assert answer.headers["allow"] == "GET, POST"
    problem(answer, 405, "method-not-allowed")


async def test_context_of_a_client_is_dropped(platform: Any, alice: Any) -> None:
    await alice.get("/v1/bots", headers={"X-Omnitrade-Context": "forged", "x-omnitrade-other": "1"})
    [seen] = platform.bots.routed
    assert seen.context is not None
    assert [name for name, _ in seen.headers if name.startswith("x-omnitrade")] == ["x-omnitrade-context"]


async def test_hop_by_hop_headers_and_credentials_end_at_the_gateway(platform: Any, alice: Any) -> None:
    sent = {
        "Connection": "close, X-Hop",
        "X-Hop": "1",
        "TE": "trailers",
        "Proxy-Authorization": "x",
        "Cookie": "a=b",
        "X-Forwarded-For": "1.2.3.4",
        "X-Kept": "yes",
        "If-Match": '"3"',
    }
    await alice.get("/v1/bots", headers=sent)
    [seen] = platform.bots.routed
    names = {name for name, _ in seen.headers}
    gone = {"connection", "x-hop", "te", "proxy-authorization", "cookie", "x-forwarded-for", "authorization"}
    assert names.isdisjoint(gone)
    assert seen.header("x-kept") == "yes"
    assert seen.header("if-match") == '"3"'


async def test_answers_headers_come_back_without_hop_by_hop_ones(platform: Any, alice: Any) -> None:
    sent = {
        "etag": '"7"',
        "location": "/v1/bots/1",
        "keep-alive": "timeout=5",
        "x-request-id": "theirs",
        "date": "long ago",
    }
    platform.bots.answers["GET", "/v1/bots"] = replies(200, {}, sent)
    answer = await alice.get("/v1/bots", headers={"x-request-id": "mine"})
    assert answer.headers["etag"] == '"7"'
    assert answer.headers["location"] == "/v1/bots/1"
    assert answer.headers.get_list("x-request-id") == ["mine"]
    assert "keep-alive" not in answer.headers
    assert answer.headers.get("date") != "long ago"


async def test_request_id_is_made_where_none_or_a_bad_one_is_sent(platform: Any, alice: Any) -> None:
    for sent in ({}, {"x-request-id": "a b"}, {"x-request-id": "x" * 200}):
        answer = await alice.get("/v1/bots", headers=sent)
        assert len(answer.headers["x-request-id"]) == 36
        assert platform.bots.routed[-1].header("x-request-id") == answer.headers["x-request-id"]
        assert platform.bots.routed[-1].context.request_id == answer.headers["x-request-id"]


async def test_trace_goes_on_with_a_span_of_its_own(platform: Any, alice: Any) -> None:
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    await alice.get("/v1/bots", headers={"traceparent": f"00-{trace}-{span}-01", "tracestate": "a=1"})
    await alice.get("/v1/bots", headers={"traceparent": "00-zz-1-01"})
    first, second = (seen.header("traceparent").split("-") for seen in platform.bots.routed)
    assert first[1] == trace
    assert first[2] != span
    assert platform.bots.routed[0].header("tracestate") == "a=1"
    assert second[0] == "00"
    assert len(second[1]) == 32


async def test_deadline_is_passed_on(platform: Any) -> None:
    async with platform.gateway(request_timeout_s=7) as client:
        await client.get("/v1/bots")
    [seen] = platform.bots.routed
    assert 5 < seen.context.deadline / 1000 - time.time() < 7
    assert seen.context.expires_at <= time.time() + 30


async def test_body_without_references_arrives_as_it_was_sent(platform: Any, alice: Any) -> None:
    await alice.post(f"/v1/bots/{BOT}/notes", content=b"\x00any bytes\xff", headers={"content-type": "x/y"})
    [seen] = platform.bots.routed
    assert seen.body == b"\x00any bytes\xff"
    assert seen.header("content-type") == "x/y"
    assert seen.context.body_sha256 is None


async def test_streamed_body_arrives_whole(platform: Any, alice: Any) -> None:
    parts = [b"a" * 40_000, b"b" * 70_000, b"c" * 10]

    async def stream() -> Any:
        for part in parts:
            yield part
            await asyncio.sleep(0.01)

    answer = await alice.post(f"/v1/bots/{BOT}/notes", content=stream())
    assert answer.status_code == 200
    assert platform.bots.routed[0].body == b"".join(parts)


async def test_big_body_arrives_whole_where_the_operation_allows_it(platform: Any, alice: Any) -> None:
    body = bytes(range(256)) * 10_000
    assert (await alice.post("/v1/import", content=body)).status_code == 200
    assert platform.bots.routed[0].body == body


@pytest.mark.parametrize("path", [f"/v1/bots/{BOT}/notes", "/v1/bots"])
async def test_body_over_the_limit_is_refused_unread(platform: Any, alice: Any, path: str) -> None:
    answer = await alice.post(path, content=b" " * 1_048_577, headers={"content-type": "application/json"})
    problem(answer, 413, "payload-too-large")
    assert platform.bots.routed == []


@pytest.mark.parametrize(("path", "size"), [(f"/v1/bots/{BOT}/notes", 1_200_000), ("/v1/import", 3_200_000)])
async def test_streamed_body_over_the_limit_is_refused_as_soon_as_it_is(
    platform: Any, alice: Any, path: str, size: int
) -> None:
    async def stream() -> Any:
        for _ in range(size // 100_000):
            yield b"x" * 100_000

    problem(await alice.post(path, content=stream()), 413, "payload-too-large")


async def test_big_answer_is_streamed_whole(platform: Any, alice: Any) -> None:
    async def big(seen: Seen, _: Any) -> None:
        send = seen.send
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(50):
            await send({"type": "http.response.body", "body": bytes([number]) * 100_000, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    platform.bots.answers["GET", "/v1/bots"] = big
    answer = await alice.get("/v1/bots")
    assert answer.content == b"".join(bytes([number]) * 100_000 for number in range(50))


async def test_parts_of_an_answer_arrive_while_it_goes_on(platform: Any, alice: Any) -> None:
    go_on = asyncio.Event()

    async def slow(seen: Seen, _: Any) -> None:
        send = seen.send
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"second"})

    platform.bots.answers["GET", "/v1/bots"] = slow
    async with alice.stream("GET", "/v1/bots") as answer:
        parts = answer.aiter_raw()
        assert await anext(parts) == b"first"
        go_on.set()
        assert await anext(parts) == b"second"


async def test_compressed_answer_is_passed_on_as_it_is(platform: Any, alice: Any) -> None:
    body = gzip.compress(b"hello")
    platform.bots.answers["GET", "/v1/bots"] = replies(200, body, {"content-encoding": "gzip"})
    answer = await alice.get("/v1/bots")
    assert answer.content == b"hello"
    assert answer.headers["content-length"] == str(len(body))


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 404, 409, 412, 422, 500])
async def test_answer_of_a_service_is_passed_on(platform: Any, alice: Any, status: int) -> None:
    value = None if status in (204, 304) else {"said": status}
    platform.bots.answers["POST", f"/v1/bots/{BOT}/notes"] = replies(status, value)
    answer = await alice.post(f"/v1/bots/{BOT}/notes")
    assert answer.status_code == status
    assert answer.content == (b"" if value is None else b'{"said": %d}' % status)


async def test_connections_to_a_service_are_used_again(platform: Any, alice: Any) -> None:
    for _ in range(5):
        await alice.get("/v1/bots")
    assert len(set(platform.bots.clients)) <= 2
