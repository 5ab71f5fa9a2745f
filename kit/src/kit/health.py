"""Liveness, readiness and metrics. They need no context, and say nothing that a stranger could use."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kit.problems import Unavailable
from kit.responses import problem_response
from kit.telemetry import METRICS_MEDIA_TYPE, Metrics

PING_TIMEOUT_S = 2.0

Ping = Callable[[], Awaitable[None]]


def health_routes(metrics: Metrics, ping: Ping) -> list[Route]:
    """`ping` raises if the process cannot do its work now."""

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(request: Request) -> Response:
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                await ping()
        except Exception:  # noqa: BLE001 (whatever it is, the answer is "not ready")
            return problem_response(request, Unavailable("The store does not answer."))
        return JSONResponse({"status": "ready"})

    async def exposition(_: Request) -> Response:
        return Response(metrics.exposition(), media_type=METRICS_MEDIA_TYPE)

    return [
        Route("/health/live", live, include_in_schema=False),
        Route("/health/ready", ready, include_in_schema=False),
        Route("/metrics", exposition, include_in_schema=False),
    ]
