"""What a process tells about itself: request ids, W3C trace context, Prometheus metrics. Each app has its own
registry."""

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.process_collector import ProcessCollector

from kit.ids import new_id

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}\Z")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(slots=True)
class Trace:
    """The request that a task works for. `trace_id` is None if nobody began a trace."""

    request_id: str
    trace_id: str | None = None
    flags: str = "01"
    tracestate: str | None = None


current_trace: ContextVar[Trace | None] = ContextVar("current_trace", default=None)


def read_request_id(header: str | None) -> str:
    """The request id that was sent, if it is one that can stand in a log; else a new one."""
    return header if header is not None and _REQUEST_ID.match(header) else new_id()


def read_trace(request_id: str, traceparent: str | None, tracestate: str | None = None) -> Trace:
    match = _TRACEPARENT.match(traceparent) if traceparent else None
    if match is None:
        return Trace(request_id)
    return Trace(request_id, match[1], match[3], tracestate)


def outgoing_headers(trace: Trace | None = None) -> dict[str, str]:
    """Headers for a call that is made on behalf of `trace`, or of the request at hand: its id, and its trace with a
    span of its own."""
    trace = trace or current_trace.get()
    if trace is None:
        return {}
    headers = {"X-Request-Id": trace.request_id}
    if trace.trace_id is not None:
        headers["traceparent"] = f"00-{trace.trace_id}-{secrets.token_hex(8)}-{trace.flags}"
        if trace.tracestate:
            headers["tracestate"] = trace.tracestate
    return headers


class Metrics:
    """The request metrics of one app. `registry` takes what a service adds of its own."""

    def __init__(self, service: str, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library does not type it
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Gauge("build_info", "The version that runs.", ["service", "version"], registry=self.registry)
        build.labels(service, version).set(1)
        self._requests = Counter(
            "http_requests", "Requests by route and status.", ["method", "route", "status"], registry=self.registry
        )
        self._durations = Histogram(
            "http_request_duration_seconds",
            "Time from the request's head to the end of the answer.",
            ["method", "route"],
            buckets=_DURATION_BUCKETS_S,
            registry=self.registry,
        )
        self._problems = Counter("http_problems", "Refusals by code.", ["code"], registry=self.registry)
        self.in_flight = Gauge("http_requests_in_flight", "Requests being answered.", registry=self.registry)
        self._request_children: dict[tuple[str, str, int], Counter] = {}
        self._duration_children: dict[tuple[str, str], Histogram] = {}

    def request_done(self, method: str, route: str, status: int, duration_s: float, problem_code: str | None) -> None:
        """`route` is a path template, so that labels stay few."""
        method = method if method in _METHODS else "other"
        counter = self._request_children.get((method, route, status))
        if counter is None:
            counter = self._requests.labels(method, route, str(status))
            self._request_children[method, route, status] = counter
        counter.inc()
        histogram = self._duration_children.get((method, route))
        if histogram is None:
            histogram = self._duration_children[method, route] = self._durations.labels(method, route)
        histogram.observe(duration_s)
        if problem_code is not None:
            self._problems.labels(problem_code).inc()

    def exposition(self) -> bytes:
        return generate_latest(self.registry)
