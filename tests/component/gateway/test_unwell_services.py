"""Services that are down, slow, or break off: what a client is told, and that nothing is repeated."""

import asyncio
from typing import Any

import httpx
import pytest
from api import problem
from stub_platform import BOT
from stub_services import Seen, free_port

pytestmark = pytest.mark.anyio


async def test_service_that_is_down_is_unavailable_and_its_routes_stay_known(platform: Any, alice: Any) -> None:
    await platform.bots.stop()
    answer = await alice.get("/v1/bots")
    assert answer.headers["retry-after"] == "1"
    assert "nothing was sent" in problem(answer, 503, "unavailable")["detail"]
    problem(await alice.get("/v1/nothing"), 404, "not-found")
    await platform.bots.start()
    assert (await alice.get("/v1/bots")).status_code == 200


async def test_slow_service_costs_a_gateway_timeout_and_no_more(platform: Any) -> None:
    never = asyncio.Event()

    async def hangs(_: Seen, __: Any) -> None:
        await never.wait()

    platform.bots.answers["GET", "/v1/bots"] = hangs
    async with platform.gateway(request_timeout_s=0.3) as client:
        problem(await client.get("/v1/bots"), 504, "deadline-exceeded")
    never.set()


async def test_service_that_breaks_off_before_its_answer_is_not_asked_again(platform: Any) -> None:
    connections = 0

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        await reader.readuntil(b"\r\n\r\n")
        connections += 1
        writer.close()

    async with platform.gateway() as client:
        await platform.bots.stop()
        server = await asyncio.start_server(broken, "127.0.0.1", platform.bots.port)
        for method in ("GET", "POST"):
            connections = 0
            path = "/v1/bots" if method == "GET" else f"/v1/bots/{BOT}/notes"
            answer = await client.request(method, path)
            assert answer.headers["retry-after"]
            problem(answer, 503, "unavailable")
        server.close()


@pytest.mark.parametrize("words", [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 100_000])
async def test_service_that_does_not_speak_http_is_unavailable(platform: Any, words: bytes) -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(words)
        await asyncio.sleep(0.5)
        writer.close()

    async with platform.gateway() as client:
        await platform.bots.stop()
        server = await asyncio.start_server(garbage, "127.0.0.1", platform.bots.port)
        problem(await client.get("/v1/bots"), 503, "unavailable")
        server.close()


def breaking_off(announced: int) -> Any:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\nhalf" % announced)
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()

    return half


async def test_short_answer_that_breaks_off_is_a_problem(platform: Any) -> None:
    async with platform.gateway() as client:
        await platform.bots.stop()
        server = await asyncio.start_server(breaking_off(100), "127.0.0.1", platform.bots.port)
        problem(await client.get("/v1/bots"), 503, "unavailable")
        server.close()


async def test_long_answer_that_breaks_off_is_not_taken_for_whole(platform: Any) -> None:
    async with platform.gateway() as client:
        await platform.bots.stop()
        server = await asyncio.start_server(breaking_off(1_000_000), "127.0.0.1", platform.bots.port)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/v1/bots")
        server.close()


async def test_addresses_are_taken_in_turn_and_one_that_is_down_is_passed_over(platform: Any) -> None:
    addresses = f"{platform.bots.url},http://127.0.0.1:{free_port()}"
    async with platform.gateway(services=f"users={platform.users.url} bots={addresses}") as client:
        for _ in range(6):
            assert (await client.get("/v1/bots")).status_code == 200


async def test_client_that_leaves_ends_the_answer_at_the_service(platform: Any, alice: Any) -> None:
    left = asyncio.Event()

    async def endless(seen: Seen, _: Any) -> None:
        await seen.send({"type": "http.response.start", "status": 200, "headers": []})
        await seen.send({"type": "http.response.body", "body": b"first", "more_body": True})
        assert (await seen.receive())["type"] == "http.disconnect"
        left.set()

    platform.bots.answers["GET", "/v1/bots"] = endless
    async with alice.stream("GET", "/v1/bots") as answer:
        assert await anext(answer.aiter_raw()) == b"first"
    await asyncio.wait_for(left.wait(), 5)
