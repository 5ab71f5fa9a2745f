"""What happens around every request: its id and trace, one log line, its metrics, and the last catch of a bug."""

from time import perf_counter
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.problems import InternalError, Unavailable
from kit.responses import problem_response
from kit.telemetry import Metrics, current_trace, read_request_id, read_trace

UNMATCHED_ROUTE = "unmatched"
_PROBES = ("/health/", "/metrics")
_PATH_LENGTH_SHOWN_MAX = 256
_STATUS_WITHOUT_ANSWER = 499
_HEADERS_OF_INTEREST = frozenset({b"x-request-id", b"traceparent", b"tracestate"})
_log = structlog.get_logger("kit.requests")


class RequestMiddleware:
    """`requests_max` requests are answered at once; what comes on top is refused, so that a queue stays short."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, requests_max: int) -> None:
        self.app = app
        self._metrics = metrics
        self._requests_max = requests_max
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        state = scope.setdefault("state", {})
        given = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _HEADERS_OF_INTEREST}
        request_id = state["request_id"] = read_request_id(given.get(b"x-request-id"))
        trace = read_trace(request_id, given.get(b"traceparent"), given.get(b"tracestate"))
        token = current_trace.set(trace)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", state["request_id"].encode())]
            await send(message)

        self._running += 1
        self._metrics.in_flight.set(self._running)
        try:
            if self._running > self._requests_max and not scope["path"].startswith(_PROBES):
                busy = problem_response(Request(scope), Unavailable("The service is busy."))
                await busy(scope, receive, send_with_id)
            else:
                await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception:
            _log.exception("unhandled error", method=scope["method"], path=scope["path"][:_PATH_LENGTH_SHOWN_MAX])
            if status:
                raise  # the answer is under way: the server breaks the connection, so that nobody takes it for whole
            await problem_response(Request(scope), InternalError())(scope, receive, send_with_id)
        finally:
            self._running -= 1
            self._metrics.in_flight.set(self._running)
            trace.request_id = state["request_id"]
            self._account(scope, state, status or _STATUS_WITHOUT_ANSWER, perf_counter() - started)
            current_trace.reset(token)

    def _account(self, scope: Scope, state: dict[str, Any], status: int, duration_s: float) -> None:
        route = _route_of(scope)
        code = state.get("problem_code")
        self._metrics.request_done(scope["method"], route, status, duration_s, code)
        context = state.get("context")
        fields: dict[str, Any] = {
            "method": scope["method"],
            "path": scope["path"][:_PATH_LENGTH_SHOWN_MAX],
            "route": route,
            "status": status,
            "duration_ms": round(duration_s * 1000, 2),
        }
        if context is not None and context.caller.id is not None:
            fields["caller"] = context.caller.id
        if code is not None:
            fields["code"] = code
        if "reason" in state:
            fields["reason"] = state["reason"]
        if status >= 500:
            _log.error("request", **fields)
        elif scope["path"].startswith(_PROBES):
            _log.debug("request", **fields)
        else:
            _log.info("request", **fields)


def _route_of(scope: Scope) -> str:
    """The path's template. A route without parameters does not say which it is, but its path is its template."""
    route = getattr(scope.get("route"), "path_format", None)
    if route is None:
        return str(scope["path"]) if "endpoint" in scope else UNMATCHED_ROUTE
    return str(route)
