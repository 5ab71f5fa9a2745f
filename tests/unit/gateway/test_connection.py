"""One connection to a service: answers in any number of pieces, and when it may be used again."""

import asyncio
from typing import Any

import pytest

from gateway.client import read_whole
from gateway.connection import BUFFER_BYTES_MAX, Connection
from gateway.upstream_errors import AnswerLostError, BadAnswerError, NotSentError

pytestmark = pytest.mark.anyio
HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Wire(asyncio.Transport):
    """What a connection writes to, without a socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = False
        self.reading = True

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def connected() -> tuple[Connection, Wire]:
    connection, wire = Connection(asyncio.get_running_loop()), Wire()
    connection.connection_made(wire)
    return connection, wire


async def exchanged(connection: Connection, *parts: bytes, without_body: bool = False) -> tuple[int, bytes]:
    connection.begin(HEAD, whole=True, without_body=without_body)
    for part in parts:
        connection.data_received(part)
    await connection.head()
    return connection.status, await read_whole(connection, 10_000_000)


ANSWERS: dict[str, tuple[bytes, int, bytes, bool]] = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", True),
    "chunked": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, b"hello", True),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n", 304, b"", True),
    "close": (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", 200, b"ok", False),
    "1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, b"ok", False),
    "hints": (
        b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        200,
        b"ok",
        True,
    ),
}


@pytest.mark.parametrize(("raw", "status", "body", "again"), ANSWERS.values(), ids=ANSWERS)
async def test_answer_is_the_same_in_one_piece_and_byte_for_byte(
    raw: bytes, status: int, body: bytes, again: bool
) -> None:
    for parts in ([raw], [raw[place : place + 1] for place in range(len(raw))]):
        connection, wire = connected()
        assert await exchanged(connection, *parts) == (status, body)
        assert connection.reusable is again
        assert wire.written == HEAD
        assert all(name == name.lower() for name, _ in connection.headers)
        assert b"x" not in dict(connection.headers)


async def test_connection_takes_one_exchange_after_another() -> None:
    connection, wire = connected()
    for number in range(3):
        raw = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%d" % number
        assert await exchanged(connection, raw) == (200, b"%d" % number)
        assert connection.reusable
    assert wire.written == HEAD * 3


async def test_answer_to_head_has_no_body_whatever_it_says() -> None:
    connection, _ = connected()
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n"
    assert await exchanged(connection, raw, without_body=True) == (200, b"")
    assert connection.reusable


async def test_body_without_a_length_ends_with_the_connection() -> None:
    connection, _ = connected()
    connection.begin(HEAD, whole=True)
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nhello")
    await connection.head()
    assert not connection.complete
    connection.connection_lost(None)
    assert await read_whole(connection, 100) == b"hello"
    assert not connection.reusable


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
async def test_answer_that_breaks_off_is_lost(raw: bytes) -> None:
    connection, _ = connected()
    connection.begin(HEAD, whole=True)
    if raw:
        connection.data_received(raw)
    connection.connection_lost(None)
    with pytest.raises(AnswerLostError):
        await read_whole(connection, 100)
    assert not connection.reusable


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
    ],
)
async def test_answer_that_is_no_good_http_ends_the_connection(raw: bytes) -> None:
    connection, wire = connected()
    connection.begin(HEAD, whole=True)
    connection.data_received(raw)
    with pytest.raises(BadAnswerError):
        await connection.head()
    assert wire.closing


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx", b"junk"])
async def test_words_beyond_an_answer_end_the_connection(more: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    connection, _ = connected()
    connection.begin(HEAD, whole=True)
    connection.data_received(raw)
    connection.data_received(more)
    await connection.head()
    assert await read_whole(connection, 100) == b"ok"
    assert not connection.reusable
    with pytest.raises(NotSentError):
        connection.begin(HEAD, whole=True)


async def test_service_is_slowed_down_while_nobody_reads() -> None:
    connection, wire = connected()
    connection.begin(HEAD, whole=True)
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    connection.data_received(b"x" * (BUFFER_BYTES_MAX + 1))
    assert not wire.reading
    await connection.head()
    assert len(await connection.chunk()) == BUFFER_BYTES_MAX + 1
    assert wire.reading


async def test_client_is_slowed_down_while_the_service_does_not_read() -> None:
    connection, _ = connected()
    connection.begin(HEAD, whole=False)
    connection.pause_writing()
    waiting = asyncio.create_task(connection.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    connection.resume_writing()
    await waiting


@pytest.mark.parametrize("end", ["answer", "loss"])
async def test_service_that_answers_or_leaves_before_it_has_read_all_ends_the_waiting(end: str) -> None:
    connection, _ = connected()
    connection.begin(HEAD, whole=False)
    connection.pause_writing()
    waiting = asyncio.create_task(connection.drained())
    await asyncio.sleep(0)
    if end == "answer":
        connection.data_received(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
    else:
        connection.connection_lost(None)
    await asyncio.wait_for(waiting, 1)
    assert not connection.reusable


async def test_answer_longer_than_the_bound_is_bad() -> None:
    connection, _ = connected()
    connection.begin(HEAD, whole=True)
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n12345678901")
    with pytest.raises(BadAnswerError):
        await read_whole(connection, 10)
