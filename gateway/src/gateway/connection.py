"""One HTTP/1.1 connection to a service: the life of one exchange after another, on llhttp's parser (httptools).

    idle -> begin() -> head -> body chunks -> complete -> idle again, or closed

Only what a gateway needs: requests are written as bytes, answers are read as chunks, never decoded or decompressed.
"""

import asyncio
import ssl
from typing import Final

import httptools

from gateway.upstream_errors import AnswerLostError, BadAnswerError, NotSentError, UpstreamError

HEADER_BYTES_MAX: Final = 64 * 1024
BUFFER_BYTES_MAX: Final = 256 * 1024

Headers = list[tuple[bytes, bytes]]


class Connection(asyncio.Protocol):
    """`status` and `headers` (names in lower case) are those of the exchange that `begin` started.

    An exchange ends with `complete`, or with an UpstreamError out of `head`, `chunk` or `drained`. `reusable` says
    whether the next exchange may take the connection.
    """

    __slots__ = (
        "_buffered",
        "_chunks",
        "_drain_waiter",
        "_error",
        "_framed",
        "_header_bytes",
        "_loop",
        "_parser",
        "_reading_paused",
        "_surplus",
        "_transport",
        "_waiter",
        "_without_body",
        "_writing_paused",
        "complete",
        "headers",
        "idle_since",
        "keep_alive",
        "sent_all",
        "status",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drain_waiter: asyncio.Future[None] | None = None
        self._error: UpstreamError | None = None
        self._writing_paused = False
        self._reading_paused = False
        self._surplus = False
        self.idle_since = 0.0
        self._reset(without_body=False)

    def _reset(self, *, without_body: bool) -> None:
        self._without_body = without_body
        self._framed = False
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._header_bytes = 0
        self.status = 0
        self.headers: Headers = []
        self.complete = False
        self.keep_alive = False
        self.sent_all = False

    # The user's side.

    @property
    def closed(self) -> bool:
        return self._error is not None or self._transport is None or self._transport.is_closing()

    @property
    def reusable(self) -> bool:
        return self.complete and self.keep_alive and self.sent_all and not self._surplus and not self.closed

    def begin(self, data: bytes, *, whole: bool, without_body: bool = False) -> None:
        """Send a request's head and what there is of its body. `whole`: nothing follows by `write`. `without_body`: the
        answer has none whatever its headers say (HEAD). Raises NotSentError if the connection is already closed."""
        if self.closed or self._transport is None:
            raise NotSentError("the connection is closed")
        self._reset(without_body=without_body)
        self.sent_all = whole
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(data)

    def write(self, data: bytes) -> None:
        if self._transport is not None and self._error is None:
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the service has taken most of what was written, or has begun to answer."""
        while self._writing_paused and self._error is None and not self.status:
            self._drain_waiter = self._loop.create_future()
            await self._drain_waiter

    async def head(self) -> None:
        """Wait for `status` and `headers`."""
        while not self.status:
            if self._error is not None:
                raise self._error
            await self._wait()

    async def chunk(self) -> bytes:
        """What has come of the body since the last call; waits if that is nothing; empty at the end."""
        while not self._chunks:
            if self.complete:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait()
        chunks, self._chunks = self._chunks, []
        self._buffered = 0
        if self._reading_paused:
            self._reading_paused = False
            if not self.closed and self._transport is not None:
                self._transport.resume_reading()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def fail(self, error: UpstreamError) -> None:
        """End the exchange, and the connection with it; whoever waits gets `error`."""
        if self._error is None:
            self._error = error
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        self._wake_writer()

    def _wake_writer(self) -> None:
        waiter, self._drain_waiter = self._drain_waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_connection makes asyncio.Transport

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self.complete:
            self._surplus = True
            self.close()
            return
        if not self.status:
            self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.fail(BadAnswerError("the service's answer is not HTTP"))
            return
        if not self.status and self._header_bytes > HEADER_BYTES_MAX:
            self.fail(BadAnswerError("the headers of the service's answer are too long"))
            return
        if self._buffered > BUFFER_BYTES_MAX and not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._parser is not None and not self.complete:
            if exc is None and self.status and not self._framed:
                self.complete = True  # a body without a length ends with the connection
            elif self._error is None:
                self._error = AnswerLostError("the service closed the connection before it had answered")
        elif self._error is None:
            self._error = AnswerLostError("the connection is closed")
        self._transport = None
        self._wake()

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._wake_writer()

    # The parser's side.

    def on_message_begin(self) -> None:
        if self.complete:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete and not self.status:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        if self.complete or parser is None:
            return
        status = parser.get_status_code()
        if status < 200:
            self.headers = []
            return
        self.status = status
        self.keep_alive = parser.should_keep_alive()
        if self._without_body or status in (204, 304):
            self._framed = self.complete = True
            return
        self._framed = any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers)

    def on_body(self, body: bytes) -> None:
        if self.complete:
            self._surplus = True
            return
        self._chunks.append(body)
        self._buffered += len(body)

    def on_message_complete(self) -> None:
        if self.status:
            self.complete = True


async def connect(host: str, port: int, *, tls: ssl.SSLContext | None, timeout_s: float) -> Connection:
    """A new connection; NotSentError if there is none within `timeout_s`."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            _, connection = await loop.create_connection(lambda: Connection(loop), host, port, ssl=tls)
    except (OSError, TimeoutError) as error:
        raise NotSentError(f"no connection: {type(error).__name__}") from error
    return connection
