"""One line per request, and its metrics. Never a query, a body or a credential."""

import time
from typing import Any, Final

import structlog

from gateway.metrics import GatewayMetrics
from gateway.request import Request

UNMATCHED: Final = "unmatched"
STATUS_WITHOUT_ANSWER: Final = 499
_log = structlog.get_logger("gateway.requests")


def account(request: Request, metrics: GatewayMetrics, own_route: str | None) -> None:
    """`own_route` is the path of one of the gateway's own pages; health checks and scrapes are logged at debug only."""
    duration_s = time.perf_counter() - request.started_at
    operation = request.operation
    route = own_route or (operation.path if operation is not None else UNMATCHED)
    status = request.status or STATUS_WITHOUT_ANSWER
    metrics.request_done(request.method, route, status, duration_s, request.code)
    fields: dict[str, Any] = {
        "method": request.method,
        "path": request.path,
        "route": route,
        "status": status,
        "duration_ms": round(duration_s * 1000, 2),
    }
    if operation is not None:
        fields["to"] = operation.service
    if request.caller.id is not None:
        fields["caller"] = request.caller.id
    if request.code is not None:
        fields["code"] = request.code
    if status >= 500 and own_route is None:
        _log.error("request", **fields)
    elif own_route is not None:
        _log.debug("request", **fields)
    else:
        _log.info("request", **fields)
