"""Sends a request on to its service, and the answer back, part by part where nothing has to be read."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.client import Exchange, SmallAnswer, Upstream, read_whole
from gateway.connection import Connection
from gateway.headers import answer_headers
from gateway.references import NOTHING, Checked
from gateway.request import ClientGoneError, Request, RequestTimeout, Routed, chunk
from gateway.upstream_errors import AnswerTimeoutError, BadAnswerError, NotSentError, UpstreamError
from kit.context import HEADER_NAME, RequestContext, body_digest, sign_context
from kit.problems import DeadlineExceeded, Problem, Unavailable

CONTEXT_S: Final = 30
READ_BYTES_MAX: Final = 256 * 1024
"""A refusal that the gateway has to look at is at most so long."""
_CONTEXT_NAME: Final = HEADER_NAME.lower().encode("ascii")


@dataclass(frozen=True, slots=True)
class Attached:
    """What a request's context says beside the request itself."""

    checked: Checked = NOTHING
    replay_only: bool = False
    versions: Mapping[str, int] | None = None


PLAIN: Final = Attached()


class Forwarder:
    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        keys: Mapping[str, bytes],
        *,
        timeout_s: float,
        idle_timeout_s: float,
        failed: Callable[[str, str], None],
    ) -> None:
        """`failed` is told the service and the kind of every failure to get an answer."""
        self._upstreams = upstreams
        self._keys = keys
        self._timeout_s = timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._failed = failed

    def deadline(self) -> float:
        """Of a request that comes now, in the event loop's time."""
        return asyncio.get_running_loop().time() + self._timeout_s

    async def send(self, routed: Routed, attached: Attached) -> Exchange:
        """The exchange with its answer's head read. Raises a Problem if there is none, and for the rest of a body that
        is passed on as it comes."""
        try:
            return await self._send(routed, attached)
        except UpstreamError as error:
            service = routed.operation.service
            self._failed(service, type(error).__name__)
            raise problem_of(error, service) from error

    async def _send(self, routed: Routed, attached: Attached) -> Exchange:
        request, body = routed.request, routed.body
        upstream = self._upstreams[routed.operation.service]
        first_line = f"{request.method} {request.target} HTTP/1.1\r\n".encode("latin-1")
        fields, payload = self._fields(routed, attached)
        exchange = await upstream.start(
            first_line,
            fields,
            payload,
            deadline=routed.deadline,
            whole=body.whole,
            without_body=request.method == "HEAD",
        )
        try:
            if not body.whole:
                await self._pass_body(exchange.connection, routed)
            await exchange.connection.head()
        except BaseException:
            upstream.done(exchange)
            raise
        return exchange

    def _fields(self, routed: Routed, attached: Attached) -> tuple[bytes, bytes]:
        """The header lines, and what there is of the body in the form it is sent in."""
        request, body, trace = routed.request, routed.body, routed.request.trace
        lines = b"%b%b: %b\r\nx-request-id: %b\r\ntraceparent: 00-%b-%b-%b\r\n" % (
            request.headers.lines,
            _CONTEXT_NAME,
            self._context(routed, attached).encode("ascii"),
            request.id.encode("ascii"),
            (trace.trace_id or "").encode("ascii"),
            os.urandom(8).hex().encode("ascii"),
            trace.flags.encode("ascii"),
        )
        if trace.tracestate:
            lines += b"tracestate: %b\r\n" % trace.tracestate.encode("latin-1")
        if body.whole:
            if body.first or routed.operation.is_write:
                lines += b"content-length: %d\r\n" % len(body.first)
            return lines, body.first
        length = request.headers.content_length
        if length is not None:
            return lines + b"content-length: %d\r\n" % length, body.first
        return lines + b"transfer-encoding: chunked\r\n", chunk(body.first, last=False)

    def _context(self, routed: Routed, attached: Attached) -> str:
        request, operation = routed.request, routed.operation
        now = time.time()
        left_s = routed.left_s(asyncio.get_running_loop().time())
        context = RequestContext(
            audience=operation.service,
            method=request.method,
            path=request.target,
            request_id=request.id,
            deadline=int((now + left_s) * 1000),
            expires_at=int(now) + CONTEXT_S,
            caller=request.caller,
            body_sha256=body_digest(routed.body.first) if operation.has_references else None,
            references=attached.checked.references,
            references_digest=operation.digest,
            replay_only=attached.replay_only,
            versions=attached.versions,
        )
        return sign_context(context, self._keys[operation.service])

    async def _pass_body(self, connection: Connection, routed: Routed) -> None:
        body = routed.body
        chunked = routed.request.headers.content_length is None
        try:
            async with asyncio.timeout_at(routed.deadline):
                while not body.whole and not connection.status:
                    part = await body.next()
                    connection.write(chunk(part, last=body.whole) if chunked else part)
                    await connection.drained()
        except TimeoutError:
            raise RequestTimeout("The rest of the body did not come in time.") from None
        connection.sent_all = body.whole

    async def read(self, routed: Routed, exchange: Exchange) -> SmallAnswer:
        """An answer to look at, whole. Raises a Problem if it breaks off."""
        connection = exchange.connection
        try:
            return SmallAnswer(connection.status, connection.headers, await read_whole(connection, READ_BYTES_MAX))
        except UpstreamError as error:
            raise problem_of(error, routed.operation.service) from error
        finally:
            self._upstreams[routed.operation.service].done(exchange)

    async def answer(self, routed: Routed, exchange: Exchange) -> None:
        """Passes the answer on. Raises UpstreamError if it breaks off, when the client's connection has to break off
        too."""
        request, connection = routed.request, exchange.connection
        try:
            headers = answer_headers(connection.headers, request.id.encode("ascii"))
            if connection.complete:
                whole = await connection.chunk()
                if not any(name == b"content-length" for name, _ in headers) and connection.status not in (204, 304):
                    headers.append((b"content-length", b"%d" % len(whole)))
                await request.start_answer(connection.status, headers)
                await request.send_body(whole)
            else:
                exchange.without_deadline()
                await request.start_answer(connection.status, headers)
                await self._pass_answer(request, connection)
        finally:
            self._upstreams[routed.operation.service].done(exchange)

    async def _pass_answer(self, request: Request, connection: Connection) -> None:
        """Ends early when the client goes away, so that nobody produces for nobody."""
        gone = asyncio.create_task(_until_gone(request, connection))
        try:
            while True:
                async with asyncio.timeout(self._idle_timeout_s):
                    part = await connection.chunk()
                if not part:
                    break
                await request.send_body(part, more=True)
        except TimeoutError:
            raise AnswerTimeoutError("the answer stopped coming") from None
        except UpstreamError:
            if gone.done():
                raise ClientGoneError from None
            raise
        finally:
            gone.cancel()
        await request.send_body(b"")


async def _until_gone(request: Request, connection: Connection) -> None:
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            connection.fail(BadAnswerError("the client went away"))
            return


def problem_of(error: UpstreamError, service: str) -> Problem:
    """What a client is told about a service that gave no answer."""
    if isinstance(error, AnswerTimeoutError):
        return DeadlineExceeded(f"The service {service} has not answered in time.")
    if isinstance(error, NotSentError):
        return Unavailable(f"The service {service} cannot be reached now; nothing was sent to it.")
    return Unavailable(
        f"The service {service} gave no answer: {error}. Whether it carried the request out is not known; "
        "repeat a write with its Idempotency-Key."
    )
