"""Requests to one service: its addresses taken in turn, over aiohttp's pool of connections.

What aiohttp is told not to do is what a gateway must not: follow redirects, keep cookies, decompress, add headers.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from gateway.upstream_errors import AnswerLostError, AnswerTimeoutError, BadAnswerError, NotSentError, UpstreamError

Headers = list[tuple[bytes, bytes]]

CONNECTIONS_MAX: Final = 512
"""Open to one address at a time; a request beyond it waits no longer than for a connection."""
CONNECT_TIMEOUT_S: Final = 1.0
IDLE_S_MAX: Final = 4.0
"""Below the five seconds after which uvicorn by itself closes an idle connection: a request should not meet one being
closed."""
DOWN_S: Final = 1.0
"""For so long an address that took no connection is asked last."""
HEADER_BYTES_MAX: Final = 64 * 1024
BUFFER_BYTES_MAX: Final = 256 * 1024
_ADDED_BY_ITSELF: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    tls: bool

    @classmethod
    def parse(cls, url: str) -> "Address":
        """`http://host:port` or `https://host[:port]`, without a path. Raises ValueError saying what is wrong."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError(f"{url!r} has no scheme that is served: write http://host:port")
        if not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
            raise ValueError(f"{url!r} is not an address: write http://host:port")
        tls = parts.scheme == "https"
        return cls(parts.hostname, parts.port or (443 if tls else 80), tls)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def url(self, target: str) -> URL:
        """With the target's path and query as they are. Put together, not parsed: parsing costs three times as much."""
        path, _, query = target.partition("?")
        scheme = "https" if self.tls else "http"
        return URL.build(scheme=scheme, authority=str(self), path=path, query_string=query, encoded=True)


@dataclass(slots=True)
class Content:
    """A request's body that comes in parts. `length` is None if it isn't known; `sent` tells that all of it went."""

    parts: AsyncIterable[bytes]
    length: int | None
    sent: bool = False
    error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self.parts:
                yield part
        except Exception as error:
            self.error = error
            raise
        self.sent = True


class Exchange:
    """An answer whose head has come. `headers` have their names in lower case; leave by `done`."""

    __slots__ = ("_content", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, content: Content | None) -> None:
        self._response = response
        self._content = content
        self.status = response.status
        self.headers: Headers = [(name.lower(), value) for name, value in response.raw_headers]

    def is_short(self) -> bool:
        """Whether all of the body is here, or will be soon."""
        length = self._response.content_length
        return self._response.content.is_eof() or (length is not None and length <= BUFFER_BYTES_MAX)

    async def chunk(self) -> bytes:
        """What has come of the body since the last call; waits if that is nothing; empty at the end."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise AnswerLostError("the service closed the connection before it had answered") from error

    async def read(self, bytes_max: int, deadline: float) -> bytes:
        """The rest of the body. Raises BadAnswerError if it is longer than `bytes_max`, AnswerTimeoutError if it is not
        there at `deadline`, in the event loop's time."""
        content = self._response.content
        if content.is_eof() and content.total_bytes <= bytes_max:
            return await self.chunk()
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout_at(deadline):
                while chunk := await self.chunk():
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > bytes_max:
                        raise BadAnswerError(f"the service's answer is longer than {bytes_max} bytes")
        except TimeoutError:
            raise AnswerTimeoutError("the service has not answered in time") from None
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def abort(self) -> None:
        """End the connection; whoever waits for a chunk gets AnswerLostError."""
        self._response.close()

    def done(self) -> None:
        """The answer was read, or nobody wants the rest of it: then the connection is of no more use."""
        if self._response.content.is_eof() and (self._content is None or self._content.sent):
            self._response.release()
        else:
            self._response.close()


@dataclass(frozen=True, slots=True)
class SmallAnswer:
    """An answer read whole."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)


class Upstream:
    """One service, as the gateway reaches it."""

    def __init__(self, service: str, addresses: Sequence[Address]) -> None:
        self.service = service
        self._addresses = list(addresses)
        self._down_until = dict.fromkeys(addresses, 0.0)
        self._turn = 0
        self._opened: aiohttp.ClientSession | None = None

    async def start(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes | Content,
        *,
        deadline: float,
    ) -> Exchange:
        """Send a request and wait for its answer's head. `deadline` is in the event loop's time.

        Raises NotSentError when every address refused, AnswerTimeoutError past the deadline, AnswerLostError,
        BadAnswerError, and what reading a body in parts raises.
        """
        now = asyncio.get_running_loop().time()
        if now >= deadline:
            raise AnswerTimeoutError("the deadline passed before the request was sent")
        failure: UpstreamError = NotSentError("the service has no address")
        for address in self._in_turn(now):
            try:
                return await self._ask(method, address.url(target), headers, body, deadline)
            except NotSentError as error:
                self._down_until[address] = now + DOWN_S
                failure = error
        raise failure

    async def _ask(
        self, method: str, url: URL, headers: Sequence[tuple[str, str]], body: bytes | Content, deadline: float
    ) -> Exchange:
        content = body if isinstance(body, Content) else None
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._session.request(
                    method, url, headers=headers, data=body or None, allow_redirects=False
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSentError(f"no connection: {type(error).__name__}") from error
        except TimeoutError:
            raise AnswerTimeoutError("the service has not answered in time") from None
        except (aiohttp.ClientResponseError, aiohttp.ClientPayloadError) as error:
            raise BadAnswerError("the service's answer is not HTTP") from error
        except (aiohttp.ClientError, OSError) as error:
            if content is not None and content.error is not None:
                raise content.error from None
            raise AnswerLostError("the service closed the connection before it had answered") from error
        return Exchange(response, content)

    async def fetch(
        self,
        method: str,
        target: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        timeout_s: float,
        body_bytes_max: int,
    ) -> SmallAnswer:
        """A request of the gateway's own, with its answer. Raises UpstreamError."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        exchange = await self.start(method, target, headers, body, deadline=deadline)
        try:
            return SmallAnswer(exchange.status, exchange.headers, await exchange.read(body_bytes_max, deadline))
        finally:
            exchange.done()

    @property
    def _session(self) -> aiohttp.ClientSession:
        """Made in the event loop that uses it."""
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS_MAX, keepalive_timeout=IDLE_S_MAX),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S),
                skip_auto_headers=_ADDED_BY_ITSELF,
                auto_decompress=False,
                read_bufsize=BUFFER_BYTES_MAX,
                max_line_size=HEADER_BYTES_MAX,
                max_field_size=HEADER_BYTES_MAX,
            )
            # By itself aiohttp sends GET, PUT and DELETE once more when a kept connection breaks. Nobody knows then
            # whether the service carried the first one out, and a second DELETE has another answer. There is no
            # public switch.
            self._opened._retry_connection = False
        return self._opened

    def _in_turn(self, now: float) -> Sequence[Address]:
        if len(self._addresses) == 1:
            return self._addresses
        self._turn = (self._turn + 1) % len(self._addresses)
        turned = self._addresses[self._turn :] + self._addresses[: self._turn]
        return sorted(turned, key=lambda address: self._down_until[address] > now)

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()
