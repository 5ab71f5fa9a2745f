"""The client for services, over real sockets: what was sent, what was not, and what came back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.client import Address, Content, Upstream
from gateway.upstream_errors import AnswerLostError, AnswerTimeoutError, BadAnswerError, NotSentError

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-One: 1\r\nX-One: 2\r\n\r\nok"

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def service(talk: Talk) -> AsyncIterator[Upstream]:
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    upstream = Upstream("bots", [Address("127.0.0.1", server.sockets[0].getsockname()[1], False)])
    try:
        yield upstream
    finally:
        await upstream.close()
        server.close()


def saying(answer: bytes, seen: list[bytes] | None = None) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(head)
        writer.write(answer)
        await writer.drain()
        writer.close()

    return talk


def soon(seconds: float = 5.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_request_leaves_as_it_was_given_and_the_answer_comes_back_as_it_was_sent() -> None:
    seen: list[bytes] = []
    async with service(saying(GOOD, seen)) as upstream:
        exchange = await upstream.start("GET", "/v1/a%2Fb?x=%20&y", [("x-request-id", "r")], b"", deadline=soon())
        assert await exchange.read(100, soon()) == b"ok"
        exchange.done()
    assert seen[0].startswith(b"GET /v1/a%2Fb?x=%20&y HTTP/1.1\r\n")
    assert {line.split(b":")[0].lower() for line in seen[0].split(b"\r\n")[1:] if line} == {b"host", b"x-request-id"}
    assert exchange.headers == [(b"content-length", b"2"), (b"x-one", b"1"), (b"x-one", b"2")]


@pytest.mark.parametrize("target", ["/a", "/a?x", "/a?x=1?y", "/a%20b?x=%C3%A4&x=2&y", "/a;b:c@d?e=[1]", "/a?b=c%23d"])
def test_target_is_the_one_that_was_sent(target: str) -> None:
    assert str(Address("::1", 8101, tls=False).url(target)) == f"http://[::1]:8101{target}"
    assert Address("bots", 8101, tls=True).url(target).raw_path_qs == target


async def test_redirect_is_an_answer_like_any_other() -> None:
    async with service(saying(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")) as upstream:
        exchange = await upstream.start("GET", "/", [], b"", deadline=soon())
        assert exchange.status == 302
        exchange.done()


async def test_nobody_listening_means_that_nothing_was_sent() -> None:
    async with service(saying(GOOD)) as upstream:
        pass
    with pytest.raises(NotSentError):
        await upstream.start("POST", "/", [], b"x", deadline=soon())
    await upstream.close()


async def test_connection_closed_before_an_answer_leaves_a_write_in_doubt() -> None:
    async with service(saying(b"")) as upstream:
        with pytest.raises(AnswerLostError):
            await upstream.start("POST", "/", [("content-length", "1")], b"x", deadline=soon())


async def test_answer_that_is_not_http_is_a_bad_one() -> None:
    async with service(saying(b"SSH-2.0-OpenSSH\r\n\r\n")) as upstream:
        with pytest.raises(BadAnswerError):
            await upstream.start("GET", "/", [], b"", deadline=soon())


async def test_answer_with_too_long_a_header_is_a_bad_one() -> None:
    async with service(saying(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n")) as upstream:
        with pytest.raises(BadAnswerError):
            await upstream.start("GET", "/", [], b"", deadline=soon())


async def test_answer_longer_than_the_limit_is_not_read_on() -> None:
    async with service(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"a" * 5000)) as upstream:
        with pytest.raises(BadAnswerError):
            await upstream.fetch("GET", "/", timeout_s=5, body_bytes_max=100)


async def test_no_answer_by_the_deadline() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with service(silent) as upstream:
        with pytest.raises(AnswerTimeoutError):
            await upstream.start("GET", "/", [], b"", deadline=soon(0.1))


async def test_what_reading_a_body_raises_comes_out_and_the_request_is_not_finished() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"first"
        raise ValueError("too long")

    async def patient(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with service(patient) as upstream:
        with pytest.raises(ValueError, match="too long"):
            await upstream.start("POST", "/", [], Content(broken(), None), deadline=soon())


@pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://a", "http://a/path", "http://user@a", "http://a?x=1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|scheme"):
        Address.parse(url)


def keeping(connections: list[int], answer: bytes = GOOD) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return talk


async def fetched(upstream: Upstream) -> int:
    return (await upstream.fetch("GET", "/", timeout_s=5, body_bytes_max=100)).status


async def test_connection_is_kept_and_another_is_made_when_the_service_has_closed_it() -> None:
    kept: list[int] = []
    async with service(keeping(kept)) as upstream:
        assert [await fetched(upstream) for _ in range(3)] == [200] * 3
    assert len(kept) == 1
    async with service(saying(GOOD.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))) as upstream:
        assert [await fetched(upstream) for _ in range(3)] == [200] * 3


async def test_addresses_are_taken_in_turn_and_one_that_is_down_is_passed_over() -> None:
    counts: tuple[list[int], list[int]] = ([], [])
    servers = [await asyncio.start_server(keeping(count), "127.0.0.1", 0) for count in counts]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    upstream = Upstream("bots", [Address("127.0.0.1", port, False) for port in ports])
    assert [await fetched(upstream) for _ in range(4)] == [200] * 4
    assert all(counts)
    await upstream.close()
    servers[0].close()
    assert [await fetched(upstream) for _ in range(4)] == [200] * 4
    await upstream.close()
    servers[1].close()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_request_on_a_kept_connection_that_breaks_is_not_sent_again(method: str) -> None:
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(GOOD)
        await writer.drain()
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with service(talk) as upstream:
        assert (await upstream.fetch("GET", "/", timeout_s=2, body_bytes_max=100)).status == 200
        with pytest.raises(AnswerLostError):
            await upstream.fetch(method, "/", timeout_s=2, body_bytes_max=100)
    assert len(seen) == 2
