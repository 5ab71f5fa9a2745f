"""A service's OpenAPI document: what FastAPI makes of the routes, plus what holds for every operation of every
service."""

import inspect
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from kit.bodies import FORM, JSON
from kit.idempotency import HEADER_NAME as KEY_HEADER_NAME
from kit.problems import (
    DeadlineExceeded,
    Forbidden,
    IdempotencyMismatch,
    IdempotencyRunning,
    InternalError,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    Problem,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
    VersionMismatch,
)
from kit.references.publication import REQUIRE
from kit.responses import PROBLEM_SCHEMA, documented, problem_entry
from kit.routing import KitRoute

_METHODS = ("get", "post", "put", "patch", "delete")
_SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of POST /v1/auth/token, or an API key.",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_KEY_PARAMETER = {
    "name": KEY_HEADER_NAME,
    "in": "header",
    "required": False,
    "description": "The same key, query and body give the first answer again, for 24 hours at least.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_FASTAPI_SCHEMAS = ("HTTPValidationError", "ValidationError")


class RouteRefused(Exception):  # noqa: N818 (a declaration that cannot hold, as DeclarationError is)
    """A route without KitRoute or an operation id, with another's id, or with a function that is not async."""


def build_document(
    *, service: str, version: str, description: str, tags: Sequence[dict[str, Any]], routes: Sequence[BaseRoute]
) -> dict[str, Any]:
    _check_routes(routes)
    document = get_openapi(
        title=f"OmniTrade {service}",
        version=version,
        description=description,
        tags=list(tags) or None,
        routes=routes,
    )
    document["x-service"] = service
    document["security"] = [{name: []} for name in _SECURITY_SCHEMES]
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SECURITY_SCHEMES
    schemas = components.setdefault("schemas", {})
    for name in _FASTAPI_SCHEMAS:
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    for item in document.get("paths", {}).values():
        for method in _METHODS:
            if method in item:
                _complete(item[method], method)
    return document


def check_planners(document: Mapping[str, Any], planners: Collection[str]) -> None:
    """An operation that leaves its conditions to the service has a planner, and a planner has its operation."""
    asking = {
        operation["operationId"]
        for item in document.get("paths", {}).values()
        for method, operation in item.items()
        if method in _METHODS and operation.get(REQUIRE)
    }
    if asking != set(planners):
        names = ", ".join(sorted(asking ^ set(planners)))
        raise RouteRefused(f"{REQUIRE} and planners belong together, but only one of them is there for: {names}")


def _check_routes(routes: Sequence[BaseRoute]) -> None:
    seen: set[str] = set()
    for route in routes:
        if not isinstance(route, KitRoute):
            raise RouteRefused(f"{getattr(route, 'path', route)}: give its router route_class=KitRoute")
        if route.operation_id is None:
            raise RouteRefused(f"{route.path}: give the route an operation_id")
        if route.operation_id in seen:
            raise RouteRefused(f"{route.path}: the operation_id {route.operation_id} is another route's already")
        seen.add(route.operation_id)
        _check_async(route.path, route.dependant)


def _check_async(path: str, dependant: Dependant) -> None:
    """A function that is not async is run in a thread, which costs more than the rest of a request."""
    call = dependant.call
    if not (inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)):
        raise RouteRefused(f"{path}: make {getattr(call, '__name__', call)} async")
    for inner in dependant.dependencies:
        _check_async(path, inner)


def _complete(operation: dict[str, Any], method: str) -> None:
    parameters = operation.setdefault("parameters", [])
    idempotent = method == "post" and operation.pop("x-idempotency-key", True)
    if idempotent:
        parameters.append(_KEY_PARAMETER)
    content = operation.get("requestBody", {}).get("content", {})
    if operation.pop("x-form-body", False) and JSON in content:
        content.setdefault(FORM, content[JSON])
    if not parameters:
        del operation["parameters"]
    _complete_responses(operation, idempotent=idempotent)


def _complete_responses(operation: dict[str, Any], *, idempotent: bool) -> None:
    responses = operation.setdefault("responses", {})
    if _is_fastapis(responses.get("422")):
        del responses["422"]
    for status, entry in documented(*_general_problems(operation, idempotent=idempotent)).items():
        declared = responses.get(str(status), {}).get("x-codes", [])
        responses[str(status)] = problem_entry(int(status), {*declared, *entry["x-codes"]})
    operation["responses"] = dict(sorted(responses.items()))


def _is_fastapis(response: Any) -> bool:
    return response is not None and "x-codes" not in response


def _general_problems(operation: dict[str, Any], *, idempotent: bool) -> list[type[Problem]]:
    """What an operation may refuse by its form alone."""
    problems: list[type[Problem]] = [RateLimited, InternalError, Unavailable, DeadlineExceeded]
    if operation.get("security") != []:
        problems += [Unauthenticated, Forbidden]
    parameters = operation.get("parameters", [])
    if parameters or "requestBody" in operation:
        problems.append(InvalidRequest)
    if "requestBody" in operation:
        problems += [PayloadTooLarge, UnsupportedMediaType]
    if any(parameter["in"] == "path" for parameter in parameters):
        problems.append(NotFound)
    if any(parameter["name"].lower() == "if-match" for parameter in parameters):
        problems.append(VersionMismatch)
    if idempotent:
        problems += [IdempotencyMismatch, IdempotencyRunning]
    return problems
