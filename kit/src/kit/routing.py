"""The path of a request inside a service. Every service router is `APIRouter(route_class=KitRoute)`."""

from typing import Any

from fastapi.routing import APIRoute

PUBLIC: dict[str, Any] = {"security": []}
"""`openapi_extra` of an operation that an anonymous caller may use. It still needs the gateway's context."""

WITHOUT_IDEMPOTENCY: dict[str, Any] = {"x-idempotency-key": False}
"""`openapi_extra` of a POST that takes no Idempotency-Key (tokens are never replayed)."""


class KitRoute(APIRoute):
    """Verifies the context, reads and checks the body, keeps idempotency and deadlines, and renders every refusal."""
