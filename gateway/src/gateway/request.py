"""One request as the gateway sees it: read once, and what became of it, for the log and the metrics."""

import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from gateway.documents import Operation
from gateway.headers import RequestHeaders
from kit.identity import ANONYMOUS, Caller
from kit.problems import InvalidRequest, PayloadTooLarge, Problem
from kit.telemetry import Trace, current_trace, read_request_id, read_trace

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class RequestTimeout(Problem):
    """The client took too long to send the body."""

    status = 408
    code = "request-timeout"
    title = "The request did not come in time"


class ClientGoneError(Exception):
    """The client went away: there is nobody to answer."""


class Request:
    __slots__ = (
        "caller",
        "code",
        "headers",
        "id",
        "method",
        "operation",
        "path",
        "query",
        "receive",
        "send",
        "started",
        "started_at",
        "status",
        "target",
        "trace",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.started_at = time.perf_counter()
        self.receive = receive
        self.send = send
        self.method: str = scope["method"]
        self.path: str = scope["raw_path"].decode("latin-1")
        query: bytes = scope["query_string"]
        self.query = query
        self.target = f"{self.path}?{query.decode('latin-1')}" if query else self.path
        self.caller: Caller = ANONYMOUS
        self.operation: Operation | None = None
        self.status = 0
        self.code: str | None = None
        self.started = False
        self.id = ""
        self.trace = Trace("")
        self.headers: RequestHeaders = RequestHeaders(())

    def read_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Raises Problem for headers that contradict each other; the request has an id all the same."""
        given = next((value for name, value in headers if name == b"x-request-id"), None)
        self.id = read_request_id(None if given is None else given.decode("latin-1"))
        self.trace = Trace(self.id)
        self.headers = RequestHeaders(headers)
        text = self.headers.text
        self.trace = read_trace(self.id, text(b"traceparent"), text(b"tracestate"))
        if self.trace.trace_id is None:
            self.trace.trace_id = os.urandom(16).hex()
        current_trace.set(self.trace)

    async def start_answer(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        self.started = True
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def send_body(self, body: bytes, *, more: bool = False) -> None:
        await self.send({"type": "http.response.body", "body": body, "more_body": more})


class Body:
    """A request's body, within its limit. `first` is what came with the head; mostly that is all of it."""

    __slots__ = ("_receive", "_size", "bytes_max", "first", "resendable", "whole")

    def __init__(self, receive: Receive, bytes_max: int) -> None:
        self._receive = receive
        self._size = 0
        self.bytes_max = bytes_max
        self.first = b""
        self.whole = True
        self.resendable = True

    async def begin(self, headers: RequestHeaders) -> None:
        """Reads the first part. Raises PayloadTooLarge as soon as the body is known to be too long."""
        if not headers.has_body:
            return
        announced = headers.seen.get(b"content-length")
        if announced is not None and headers.content_length is None:
            raise InvalidRequest("The Content-Length header is no number.")
        if (headers.content_length or 0) > self.bytes_max:
            raise self._too_large()
        self.first = await self._next()

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part: bytes = message.get("body", b"")
        self.whole = not message.get("more_body", False)
        self._size += len(part)
        if self._size > self.bytes_max:
            raise self._too_large()
        return part

    async def next(self) -> bytes:
        """The next part of a body that is not `whole` yet. It is not kept, so the body can't be sent a second time."""
        self.resendable = False
        return await self._next()

    async def read(self) -> bytes:
        """All of it."""
        if not self.whole:
            parts = [self.first]
            while not self.whole:
                parts.append(await self._next())
            self.first = b"".join(parts)
        return self.first

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"The body may have at most {self.bytes_max} bytes.")


@dataclass(slots=True)
class Routed:
    """A request on its way to a service. `deadline` is in the event loop's time."""

    request: Request
    operation: Operation
    body: Body
    deadline: float

    def left_s(self, now: float) -> float:
        return max(0.0, self.deadline - now)
