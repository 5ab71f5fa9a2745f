"""What never becomes a request: heads that are too long, too slow or no HTTP at all. And the gateway as a process."""

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

import httpx
import pytest
from stub_platform import KEYS
from stub_services import Seen, free_port

from gateway import server

pytestmark = pytest.mark.anyio
START_S = 15


async def said(platform: Any, *parts: bytes, pause_s: float = 0.0) -> tuple[int, dict[str, Any]]:
    """The status and problem document of an answer to bytes on a socket, which is then closed by the gateway."""
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(platform.base_url).port)
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause_s)
        answer = await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    return int(head.split(b" ")[1]), json.loads(body)


async def test_words_that_are_no_http_are_refused(platform: Any, alice: Any) -> None:
    for words in (b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"):
        status, document = await said(platform, words)
        assert (status, document["code"]) == (400, "not-http")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nx: " + b"y" * 40_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 8_000 + b"\r\n",
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"y" * 40_000,
    ],
)
async def test_head_that_is_too_long_is_refused(platform: Any, alice: Any, head: bytes) -> None:
    status, document = await said(platform, head)
    assert (status, document["code"]) == (431, "header-too-large")


async def test_head_that_does_not_come_to_an_end_is_given_up(platform: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(server, "HEAD_TIMEOUT_S", 0.2)
    async with platform.gateway():
        status, document = await said(platform, b"GET / HTTP/1.1\r\nx:")
        assert (status, document["code"]) == (408, "request-timeout")
        status, document = await said(platform)
        assert (status, document["code"]) == (408, "request-timeout")


async def test_body_that_does_not_come_to_an_end_is_given_up(platform: Any) -> None:
    async with platform.gateway(request_timeout_s=0.3):
        head = b"POST /v1/bots HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100\r\n"
        token = b"authorization: Bearer " + platform.token().encode()
        status, document = await said(platform, head + token + b"\r\n\r\n{")
        assert (status, document["code"]) == (408, "request-timeout")


async def test_connection_is_kept_for_more_requests_in_a_row(platform: Any, alice: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(platform.base_url).port)
    for _ in range(3):
        writer.write(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
        for _ in range(2):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(17) == b'{"status":"live"}'
    writer.close()


async def test_process_finishes_what_it_has_begun_before_it_stops(platform: Any) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Seen, reply: Any) -> None:
        begun.set()
        await go_on.wait()
        await reply(200, {"late": True})

    platform.bots.answers["GET", "/v1/bots"] = slow
    port = free_port()
    process = await start(platform, port)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            await answers(client)
            headers = {"authorization": f"Bearer {platform.token()}"}
            running = asyncio.create_task(client.get("/v1/bots", headers=headers))
            await asyncio.wait_for(begun.wait(), 5)
            process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            with pytest.raises(httpx.ConnectError):
                await httpx.AsyncClient().get(f"http://127.0.0.1:{port}/health/live")
            go_on.set()
            assert (await running).json() == {"late": True}
        await asyncio.wait_for(process.wait(), 5)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_process_gives_up_on_what_does_not_finish(platform: Any) -> None:
    never = asyncio.Event()
    begun = asyncio.Event()

    async def hangs(_: Seen, __: Any) -> None:
        begun.set()
        await never.wait()

    platform.bots.answers["GET", "/v1/bots"] = hangs
    port = free_port()
    process = await start(platform, port, SHUTDOWN_TIMEOUT_S="1")
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            await answers(client)
            headers = {"authorization": f"Bearer {platform.token()}"}
            running = asyncio.create_task(client.get("/v1/bots", headers=headers))
            await asyncio.wait_for(begun.wait(), 5)
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            await asyncio.wait_for(process.wait(), 5)
            assert time.monotonic() - began < 4
            await asyncio.gather(running, return_exceptions=True)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_process_does_not_start_with_bad_settings_and_says_which(platform: Any) -> None:
    process = await start(platform, free_port(), ENVIRONMENT="production", GATEWAY_KEYS="users=tiny bots=tiny")
    _, errors = await asyncio.wait_for(process.communicate(), START_S)
    assert process.returncode == 2
    assert "GATEWAY_KEYS" in errors.decode()
    assert "tiny" not in errors.decode()


async def start(platform: Any, port: int, **changes: str) -> asyncio.subprocess.Process:
    environment = {
        **os.environ,
        "GATEWAY_PORT": str(port),
        "SERVICES": f"users={platform.users.url} bots={platform.bots.url}",
        "GATEWAY_KEYS": " ".join(f"{name}={key.decode()}" for name, key in KEYS.items()),
        "DATA_DIR": str(platform.folder),
        "LOG_FORMAT": "json",
        **changes,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


async def answers(client: httpx.AsyncClient) -> None:
    give_up_at = time.monotonic() + START_S
    while True:
        try:
            if (await client.get("/health/ready")).status_code == 200:
                return
        except httpx.ConnectError:
            pass
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.05)
