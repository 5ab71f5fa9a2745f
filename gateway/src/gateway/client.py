"""Connections to one service: its addresses taken in turn, and a pool of idle connections for each of them."""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.connection import Connection, Headers, connect
from gateway.upstream_errors import AnswerTimeoutError, BadAnswerError, NotSentError, UpstreamError

CONNECTIONS_MAX: Final = 512
"""Open to one address at a time; a request beyond it is not sent."""
CONNECT_TIMEOUT_S: Final = 1.0
IDLE_S_MAX: Final = 4.0
"""Below the five seconds after which uvicorn by itself closes an idle connection: a request should not meet one being
closed."""
DOWN_S: Final = 1.0
"""For so long an address that took no connection is asked last."""


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


class _Pool:
    """The connections to one address."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.host_line = b"host: " + str(address).encode("ascii") + b"\r\n"
        self.open_count = 0
        self.down_until = 0.0
        self._idle: deque[Connection] = deque()
        self._tls = ssl.create_default_context() if address.tls else None

    def idle(self, now: float) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and now - connection.idle_since < IDLE_S_MAX:
                return connection
            self.discard(connection)
        return None

    async def fresh(self, now: float) -> Connection:
        if self.open_count >= CONNECTIONS_MAX:
            raise NotSentError("all connections to the service are in use")
        self.open_count += 1
        try:
            return await connect(self.address.host, self.address.port, tls=self._tls, timeout_s=CONNECT_TIMEOUT_S)
        except NotSentError:
            self.open_count -= 1
            self.down_until = now + DOWN_S
            raise
        except BaseException:
            self.open_count -= 1
            raise

    def release(self, connection: Connection, now: float) -> None:
        if connection.reusable:
            connection.idle_since = now
            self._idle.append(connection)
        else:
            self.discard(connection)

    def discard(self, connection: Connection) -> None:
        self.open_count -= 1
        connection.close()

    def drop_stale(self, now: float) -> None:
        """Close what has been idle for too long; the longest idle is first."""
        while self._idle and (self._idle[0].closed or now - self._idle[0].idle_since >= IDLE_S_MAX):
            self.discard(self._idle.popleft())

    def close(self) -> None:
        while self._idle:
            self.discard(self._idle.popleft())


class Exchange:
    """One request on its way. `connection` has the answer; leave by `Upstream.done`."""

    __slots__ = ("_timer", "connection", "pool")

    def __init__(self, pool: _Pool, connection: Connection, timer: asyncio.TimerHandle) -> None:
        self.pool = pool
        self.connection = connection
        self._timer = timer

    def without_deadline(self) -> None:
        """From here the answer's body may take its time; who reads it sets limits of its own."""
        self._timer.cancel()


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
        self._pools = [_Pool(address) for address in addresses]
        self._turn = 0

    async def start(
        self,
        request: bytes,
        fields: bytes,
        body: bytes,
        *,
        deadline: float,
        whole: bool = True,
        without_body: bool = False,
    ) -> Exchange:
        """Send a request: `request` is its first line, `fields` its header lines without `host`, both with their line
        ends. `deadline` is in the event loop's time. Raises NotSentError when every address refused,
        AnswerTimeoutError past the deadline."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= deadline:
            raise AnswerTimeoutError("the deadline passed before the request was sent")
        failure: UpstreamError = NotSentError("the service has no address")
        for pool in self._in_turn(now):
            # An idle connection may turn out closed: nothing was sent then, and a fresh one is made.
            for _ in range(2):
                try:
                    connection = pool.idle(now) or await pool.fresh(now)
                except NotSentError as error:
                    failure = error
                    break
                try:
                    data = b"%b%b%b\r\n%b" % (request, pool.host_line, fields, body)
                    connection.begin(data, whole=whole, without_body=without_body)
                except NotSentError as error:
                    failure = error
                    pool.discard(connection)
                    continue
                timer = loop.call_at(
                    deadline, connection.fail, AnswerTimeoutError("the service has not answered in time")
                )
                return Exchange(pool, connection, timer)
        raise failure

    def done(self, exchange: Exchange) -> None:
        """The answer was read, or nobody wants the rest of it."""
        exchange.without_deadline()
        exchange.pool.release(exchange.connection, asyncio.get_running_loop().time())

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
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
        if body or method != "GET":
            fields += f"content-length: {len(body)}\r\n"
        deadline = asyncio.get_running_loop().time() + timeout_s
        request = f"{method} {target} HTTP/1.1\r\n".encode("ascii")
        exchange = await self.start(request, fields.encode("ascii"), body, deadline=deadline)
        try:
            connection = exchange.connection
            await connection.head()
            return SmallAnswer(connection.status, connection.headers, await read_whole(connection, body_bytes_max))
        finally:
            self.done(exchange)

    def _in_turn(self, now: float) -> Sequence[_Pool]:
        if len(self._pools) == 1:
            return self._pools
        self._turn = (self._turn + 1) % len(self._pools)
        turned = self._pools[self._turn :] + self._pools[: self._turn]
        return sorted(turned, key=lambda pool: pool.down_until > now)

    def drop_stale(self) -> None:
        now = asyncio.get_running_loop().time()
        for pool in self._pools:
            pool.drop_stale(now)

    def close(self) -> None:
        for pool in self._pools:
            pool.close()


async def read_whole(connection: Connection, bytes_max: int) -> bytes:
    """The rest of an answer's body. Raises BadAnswerError if it is longer than `bytes_max`."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await connection.chunk():
        chunks.append(chunk)
        size += len(chunk)
        if size > bytes_max:
            raise BadAnswerError(f"the service's answer is longer than {bytes_max} bytes")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
