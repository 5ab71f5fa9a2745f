"""What the gateway asks for an operator: an owner's registry, and both halves of the removal of a relationship."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from kit.dependencies import RuntimeDep
from kit.references.declaration import RELATIONSHIP_CHARACTERS_MAX
from kit.references.internal_routes import add_route
from kit.references.reading import body_of, json_response, malformed, number_of, text_of
from kit.references.registry import REGISTERED
from kit.routing import KitRoute
from kit.schemas import format_timestamp

_RELATIONSHIP = re.compile(r"[a-z][a-z0-9_]*\.[A-Za-z][A-Za-z0-9]*\Z")
_NUMBERS = frozenset({"removedBy", "restoredBy"})
_log = structlog.get_logger("kit.removal")


def removal_router() -> APIRouter:
    router = APIRouter(route_class=KitRoute, prefix="/internal/references/relationships")
    add_route(router, "/list", listed, "listRelationships")
    add_route(router, "/remove", remove, "removeRelationship")
    add_route(router, "/restore", restore, "restoreRelationship")
    add_route(router, "/close", close, "closeRelationship")
    add_route(router, "/look", look, "lookAtRelationship")
    add_route(router, "/open", reopen, "openRelationship")
    return router


async def listed(runtime: RuntimeDep) -> Response:
    rows = await runtime.references.registry.listing()
    return json_response({"relationships": [_row(row) for row in rows]})


async def remove(request: Request, runtime: RuntimeDep) -> Response:
    body = await body_of(request)
    relationship = _named(body)
    number = None if body.get("number") is None else number_of(body, "number", "")
    rows = await runtime.references.registry.remove(relationship, runtime.clock.now(), number=number)
    return _told("removal of a relationship", relationship, rows)


async def restore(request: Request, runtime: RuntimeDep) -> Response:
    body = await body_of(request)
    relationship, number = _named(body), number_of(body, "number", "")
    rows = await runtime.references.registry.restore(relationship, runtime.clock.now(), number=number)
    return _told("return of a relationship", relationship, rows)


def _told(what: str, relationship: str, rows: Sequence[Mapping[str, Any]]) -> Response:
    _log.warning(what, relationship=relationship, states={row["parent"]: row["state"] for row in rows})
    return json_response({"relationships": [_row(row) for row in rows]})


async def close(request: Request, runtime: RuntimeDep) -> Response:
    relationship = _named(await body_of(request))
    number, voided = await runtime.references.removal.close(relationship)
    _log.warning("relationship closed", relationship=relationship, number=number, voided=voided)
    return json_response({"number": number, "voided": voided})


async def look(request: Request, runtime: RuntimeDep) -> Response:
    found = await runtime.references.removal.look(_named(await body_of(request)))
    return json_response({"closed": found.closed, "number": found.number})


async def reopen(request: Request, runtime: RuntimeDep) -> Response:
    body = await body_of(request)
    relationship, number = _named(body), number_of(body, "number", "")
    is_open = await runtime.references.removal.open(relationship, number)
    _log.warning("relationship opened" if is_open else "relationship stays closed", relationship=relationship)
    return json_response({"open": is_open})


def _named(body: Mapping[str, Any]) -> str:
    name = text_of(body, "relationship", "")
    if len(name) > RELATIONSHIP_CHARACTERS_MAX or _RELATIONSHIP.match(name) is None:
        raise malformed("/relationship")
    return name


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """As it is stored, but for the numbers of closings, which say nothing to an operator."""
    said = {name: _value(value) for name, value in row.items() if not name.startswith("_") and name not in _NUMBERS}
    said["isValidated"] = row["state"] == REGISTERED and row.get("validatedAt") is not None
    return said


def _value(value: Any) -> Any:
    return format_timestamp(value) if isinstance(value, datetime) else value
