"""Sends a request on to its service, and the answer back, part by part where nothing has to be read."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.client import BUFFER_BYTES_MAX, Content, Exchange, SmallAnswer, Upstream
from gateway.headers import CONTEXTS_MAX, answer_headers, is_context_refused
from gateway.references import NOTHING, Checked
from gateway.request import ClientGoneError, Request, RequestTimeout, Routed
from gateway.upstream_errors import (
    AnswerTimeoutError,
    ContextRefusedError,
    NotSentError,
    OtherVersionError,
    UpstreamError,
)
from kit.clock import Clock, SystemClock
from kit.context import HEADER_NAME, RequestContext, body_digest, sign_context
from kit.problems import DeadlineExceeded, Problem, Unavailable

CONTEXT_S: Final = 30
READ_BYTES_MAX: Final = 256 * 1024
"""A refusal that the gateway has to look at is at most so long."""
REPEATABLE: Final = frozenset({"GET", "HEAD", "DELETE"})


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
        clock: Clock | None = None,
    ) -> None:
        """`failed` is told the service and the kind of every failure to get an answer."""
        self._upstreams = upstreams
        self._keys = keys
        self._timeout_s = timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._failed = failed
        self._clock = clock or SystemClock()

    def deadline(self) -> float:
        """Of a request that comes now, in the event loop's time."""
        return asyncio.get_running_loop().time() + self._timeout_s

    async def send(self, routed: Routed, attached: Attached) -> Exchange:
        """The exchange with its answer's head read. Raises a Problem if there is none, and for the rest of a body that
        is passed on as it comes."""
        try:
            return await self._send_until_known(routed, attached)
        except UpstreamError as error:
            service = routed.operation.service
            self._failed(service, type(error).__name__)
            raise problem_of(error, service, routed.request.method) from error

    async def _send_until_known(self, routed: Routed, attached: Attached) -> Exchange:
        """To the next replica too, if one refuses the context; but for a body that went part by part, which is
        gone."""
        for _ in range(CONTEXTS_MAX):
            exchange = await self._send(routed, attached)
            if not is_context_refused(exchange.status, exchange.headers):
                return exchange
            exchange.done()
            if not routed.body.resendable:
                break
        raise ContextRefusedError

    async def _send(self, routed: Routed, attached: Attached) -> Exchange:
        request, body, operation = routed.request, routed.body, routed.operation
        headers = self._headers(routed, attached)
        content: bytes | Content = body.first
        if not body.whole:
            content = Content(_parts(routed), request.headers.content_length)
            if content.length is not None:
                headers.append(("content-length", str(content.length)))
        elif body.first or operation.is_write:
            headers.append(("content-length", str(len(body.first))))
        upstream = self._upstreams[operation.service]
        return await upstream.start(request.method, request.target, headers, content, deadline=routed.deadline)

    def _headers(self, routed: Routed, attached: Attached) -> list[tuple[str, str]]:
        request, trace = routed.request, routed.request.trace
        headers = [
            *request.headers.passed_on,
            (HEADER_NAME, self._context(routed, attached)),
            ("x-request-id", request.id),
            ("traceparent", f"00-{trace.trace_id}-{os.urandom(8).hex()}-{trace.flags}"),
        ]
        if trace.tracestate:
            headers.append(("tracestate", trace.tracestate))
        return headers

    def _context(self, routed: Routed, attached: Attached) -> str:
        request, operation = routed.request, routed.operation
        now = self._clock.now().timestamp()
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

    async def read(self, routed: Routed, exchange: Exchange) -> SmallAnswer:
        """An answer to look at, whole. Raises a Problem if it breaks off."""
        try:
            body = await exchange.read(READ_BYTES_MAX, routed.deadline)
            return SmallAnswer(exchange.status, exchange.headers, body)
        except UpstreamError as error:
            raise problem_of(error, routed.operation.service, routed.request.method) from error
        finally:
            exchange.done()

    async def answer(self, routed: Routed, exchange: Exchange) -> None:
        """Passes the answer on. Raises a Problem if a short one breaks off, and UpstreamError if a long one does: then
        the client's connection has to break off too."""
        request = routed.request
        try:
            headers = answer_headers(exchange.headers, request.id.encode("ascii"))
            if exchange.is_short():
                whole = await self._whole(routed, exchange)
                if not any(name == b"content-length" for name, _ in headers) and exchange.status not in (204, 304):
                    headers.append((b"content-length", b"%d" % len(whole)))
                await request.start_answer(exchange.status, headers)
                await request.send_body(whole)
            else:
                await request.start_answer(exchange.status, headers)
                await self._pass_answer(request, exchange)
        finally:
            exchange.done()

    async def _whole(self, routed: Routed, exchange: Exchange) -> bytes:
        try:
            return await exchange.read(BUFFER_BYTES_MAX, routed.deadline)
        except UpstreamError as error:
            service = routed.operation.service
            self._failed(service, type(error).__name__)
            raise problem_of(error, service, routed.request.method) from error

    async def _pass_answer(self, request: Request, exchange: Exchange) -> None:
        """Ends early when the client goes away, so that nobody produces for nobody."""
        gone = asyncio.create_task(_until_gone(request, exchange))
        try:
            while True:
                async with asyncio.timeout(self._idle_timeout_s):
                    part = await exchange.chunk()
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


async def _parts(routed: Routed) -> AsyncIterator[bytes]:
    """The body as it comes in, until the request's deadline."""
    body = routed.body
    yield body.first
    try:
        while not body.whole:
            async with asyncio.timeout_at(routed.deadline):
                part = await body.next()
            yield part
    except TimeoutError:
        raise RequestTimeout("The rest of the body did not come in time.") from None


async def _until_gone(request: Request, exchange: Exchange) -> None:
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            exchange.abort()
            return


def problem_of(error: UpstreamError, service: str, method: str = "POST") -> Problem:
    """What a client is told about a service that gave no answer. `method` is that of the client's request."""
    if isinstance(error, AnswerTimeoutError):
        return DeadlineExceeded(f"The service {service} has not answered in time.")
    if isinstance(error, NotSentError):
        return Unavailable(f"The service {service} cannot be reached now; nothing was sent to it.")
    if isinstance(error, ContextRefusedError | OtherVersionError):
        return Unavailable(f"The service {service} did nothing: {error}.")
    if method in REPEATABLE:
        return Unavailable(f"The service {service} gave no answer: {error}. The request may simply be repeated.")
    return Unavailable(
        f"The service {service} gave no answer: {error}. Whether it carried the request out is not known; "
        "repeat a write with its Idempotency-Key."
    )
