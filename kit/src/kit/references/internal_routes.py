"""Routes between the gateway and a service: POST of JSON, not documented, each a step at which a test may kill the
process."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from kit.fault_points import reached
from kit.routing import WITHOUT_IDEMPOTENCY

RELATIONSHIPS_MAX = 1_000
Handler = Callable[..., Awaitable[Response]]


def add_route(router: APIRouter, path: str, handler: Handler, operation_id: str, *, step: str | None = None) -> None:
    router.add_api_route(
        path,
        handler if step is None else _with_fault_points(step, handler),
        methods=["POST"],
        operation_id=operation_id,
        include_in_schema=False,
        openapi_extra=WITHOUT_IDEMPOTENCY,
    )


def _with_fault_points(step: str, handler: Handler) -> Handler:
    @functools.wraps(handler)
    async def stepped(*args: Any, **kwargs: Any) -> Response:
        reached(f"{step}:begin")
        response = await handler(*args, **kwargs)
        reached(f"{step}:done")
        return response

    return stepped
