"""The HTTP server: uvicorn on uvloop and httptools, with limits on what a client may send before a request is one."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, ClassVar, Final

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.settings import GatewaySettings
from kit.ids import new_id
from kit.problems import MEDIA_TYPE, TYPE_PREFIX

HEAD_TIMEOUT_S: Final = 15.0
KEEP_ALIVE_S: Final = 75
BACKLOG: Final = 2048


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol by itself takes a head of any length, and waits for it for ever."""

    header_bytes_max: ClassVar[int] = 32 * 1024
    _head_bytes = 0
    _in_head = True
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._head_too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes:
            if self._head_bytes > self.header_bytes_max:
                self._refuse(431, "header-too-large", "The request's headers are too long")
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._head_too_late)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        if self._head_bytes > self.header_bytes_max and self._size_of_head() > self.header_bytes_max:
            self._refuse(431, "header-too-large", "The request's headers are too long")
            raise ValueError("the head is too long")  # ends the parsing; uvicorn then has nobody left to tell
        super().on_headers_complete()

    def _size_of_head(self) -> int:
        """What came with the head may be the body's."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_message_complete(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's own words)
        self._refuse(400, "not-http", "The request is not HTTP")

    def _head_too_late(self) -> None:
        self._refuse(408, "request-timeout", "The request did not come in time")

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: int, code: str, title: str) -> None:
        if not self.transport.is_closing():
            self.transport.write(_problem(status, code, title))
            self.transport.close()


def limited_protocol(header_bytes_max: int) -> type[LimitedProtocol]:
    return type("LimitedProtocol", (LimitedProtocol,), {"header_bytes_max": header_bytes_max})


def _problem(status: int, code: str, title: str) -> bytes:
    """A whole answer, for what never becomes a request."""
    request_id = new_id()
    document: dict[str, Any] = {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": status,
        "code": code,
        "detail": title,
        "instance": "",
        "requestId": request_id,
    }
    body = orjson.dumps(document)
    head = (
        f"HTTP/1.1 {status} \r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
        f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


class HurryingServer(uvicorn.Server):
    """Calls `hurry` when it is told to stop, before it waits for the requests that run."""

    def __init__(self, config: uvicorn.Config, hurry: Callable[[], None]) -> None:
        super().__init__(config)
        self._hurry = hurry

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hurry()
        await super().shutdown(sockets)


def server_config(app: Any, settings: GatewaySettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.bind_host,
        port=settings.gateway_port,
        loop="uvloop",
        http=limited_protocol(settings.header_bytes_max),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_timeout_s)),
    )
