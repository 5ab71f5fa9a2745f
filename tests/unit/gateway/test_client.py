"""A service's addresses and the connections to them."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.client import Address, Upstream
from gateway.upstream_errors import AnswerLostError, AnswerTimeoutError, BadAnswerError, NotSentError, UpstreamError

pytestmark = pytest.mark.anyio
HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def served(answer: bytes | None, count: list[int]) -> asyncio.Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count.append(1)
        try:
            while answer is not None:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
            await reader.read()
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


def upstream(*servers: asyncio.Server) -> Upstream:
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    return Upstream("bots", [Address("127.0.0.1", port, tls=False) for port in ports])


async def fetched(one: Upstream, timeout_s: float = 2.0) -> int:
    return (await one.fetch("GET", "/", timeout_s=timeout_s, body_bytes_max=100)).status


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def test_connection_is_kept_and_another_is_made_when_the_service_has_closed_it() -> None:
    count: list[int] = []
    server = await served(OK, count)
    one = upstream(server)
    assert [await fetched(one) for _ in range(3)] == [200] * 3
    assert len(count) == 1
    closing = await served(OK.replace(b"OK\r\n", b"OK\r\nconnection: close\r\n"), count)
    other = upstream(closing)
    assert [await fetched(other) for _ in range(3)] == [200] * 3
    assert len(count) == 4
    for each in (one, other):
        each.close()
    for each_server in (server, closing):
        each_server.close()


async def test_addresses_are_taken_in_turn() -> None:
    first: list[int] = []
    second: list[int] = []
    servers = [await served(OK, first), await served(OK, second)]
    one = upstream(*servers)
    for _ in range(4):
        await fetched(one)
    assert (len(first), len(second)) == (1, 1)
    servers[0].close()
    await servers[0].wait_closed()
    for pool in one._pools:
        pool.close()
    assert [await fetched(one) for _ in range(4)] == [200] * 4
    one.close()
    servers[1].close()


async def test_no_address_that_takes_connections_means_that_nothing_was_sent() -> None:
    server = await served(OK, [])
    one = upstream(server)
    server.close()
    await server.wait_closed()
    with pytest.raises(NotSentError):
        await fetched(one)


async def test_service_that_never_answers_costs_the_deadline_and_the_connection() -> None:
    count: list[int] = []
    server = await served(None, count)
    one = upstream(server)
    for _ in range(2):
        with pytest.raises(AnswerTimeoutError):
            await fetched(one, 0.1)
    assert len(count) == 2
    assert one._pools[0].open_count == 0
    server.close()


async def test_connections_to_an_address_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.client.CONNECTIONS_MAX", 2)
    server = await served(None, [])
    one = upstream(server)
    running = [asyncio.create_task(fetched(one, 0.5)) for _ in range(2)]
    await asyncio.sleep(0.1)
    with pytest.raises(NotSentError):
        await fetched(one)
    await asyncio.gather(*running, return_exceptions=True)
    assert one._pools[0].open_count == 0
    server.close()


async def test_caller_that_is_cancelled_gives_its_connection_back() -> None:
    server = await served(None, [])
    one = upstream(server)
    running = asyncio.create_task(fetched(one, 5))
    await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert one._pools[0].open_count == 0
    server.close()


async def test_idle_connections_are_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.client.IDLE_S_MAX", 0.05)
    server = await served(OK, [])
    one = upstream(server)
    await fetched(one)
    assert one._pools[0].open_count == 1
    await asyncio.sleep(0.1)
    one.drop_stale()
    assert one._pools[0].open_count == 0
    server.close()


def test_every_way_to_fail_is_an_upstream_error() -> None:
    kinds: list[Callable[..., Exception]] = [NotSentError, AnswerLostError, BadAnswerError, AnswerTimeoutError]
    assert all(isinstance(kind("x"), UpstreamError) for kind in kinds)
