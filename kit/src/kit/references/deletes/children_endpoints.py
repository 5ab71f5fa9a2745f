"""What the gateway asks every service that has children of a parent in deletion."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kit.dependencies import CallerDep, RuntimeDep
from kit.identity import Caller
from kit.problems import ForeignRows, NotFound
from kit.references.deletes.cascading import BATCH_MAX, Doomed
from kit.references.deletes.closing import CLOSURES_MAX, Closing
from kit.references.deletes.deletions import referring
from kit.references.deletes.naming import Naming
from kit.references.internal_routes import RELATIONSHIPS_MAX, add_route
from kit.references.reading import (
    body_of,
    items_of,
    json_response,
    malformed,
    number_of,
    object_of,
    on_delete_of,
    text_of,
    typed,
)
from kit.routing import KitRoute
from kit.runtime import Runtime


def children_router() -> APIRouter:
    router = APIRouter(route_class=KitRoute, prefix="/internal/references/children")
    add_route(router, "/count", count, "countChildren")
    add_route(router, "/close", close, "closeChildren", step="close")
    add_route(router, "/reopen", reopen, "reopenChildren", step="reopen")
    add_route(router, "/apply", apply, "applyToChildren", step="apply")
    add_route(router, "/look", look, "lookForChildren", step="look")
    add_route(router, "/remove", remove, "removeChildren", step="remove")
    return router


async def count(request: Request, runtime: RuntimeDep, caller: CallerDep) -> Response:
    """What blocks, without any fence."""
    body = await body_of(request)
    namings = _namings(runtime, body)
    return json_response(await _counted(runtime, namings, text_of(body, "id", ""), caller))


async def close(request: Request, runtime: RuntimeDep, caller: CallerDep) -> Response:
    """With `count` also what blocks the one parent, counted after every intent was voided."""
    body = await body_of(request)
    wanted = _closings(runtime, body)
    stale = await runtime.references.closer.close(wanted)
    if stale or not body.get("count"):
        return json_response({"stale": stale, "blockedBy": [], "rules": []})
    counted = await _counted(runtime, [one.naming for one in wanted], wanted[0].parent_id, caller)
    return json_response({"stale": stale, **counted})


async def reopen(request: Request, runtime: RuntimeDep) -> Response:
    await runtime.references.closer.reopen(_closings(runtime, await body_of(request)))
    return json_response({})


async def apply(request: Request, runtime: RuntimeDep) -> Response:
    """One batch."""
    body = await body_of(request)
    naming = runtime.references.namings.find(text_of(body, "relationship", ""), text_of(body, "parent", ""))
    deletion_id = text_of(body, "deletionId", "")
    done = await runtime.references.cascade.apply(naming, _ids(body), on_delete_of(body, ""), deletion_id)
    for one in done.forced:
        if not isinstance(one.id, str):  # a row of no service's
            raise ForeignRows.of(naming.child, one.id)
    return json_response(
        {
            "child": naming.child,
            "setNull": done.set_null,
            "removed": done.removed,
            "forced": [{"id": one.id, "epoch": one.epoch} for one in done.forced],
            "relationships": [referring(one) for one in done.relationships],
            "more": done.more,
        }
    )


async def look(request: Request, runtime: RuntimeDep) -> Response:
    body = await body_of(request)
    ids = _ids(body)
    left = [one.relationship for one in _namings(runtime, body) if await runtime.references.cascade.left(one, ids)]
    return json_response({"left": left})


async def remove(request: Request, runtime: RuntimeDep) -> Response:
    body = await body_of(request)
    entity = text_of(body, "entity", "")
    if not runtime.references.owner.owns(entity):
        raise NotFound(f"{runtime.name} owns no entity {entity}.")
    doomed = [
        Doomed(text_of(object_of(one, where), "id", where), number_of(one, "epoch", where))
        for one, where in items_of(body, "items", BATCH_MAX)
    ]
    return json_response({"removed": await runtime.references.cascade.remove(entity, doomed)})


async def _counted(runtime: Runtime, namings: Sequence[Naming], parent_id: str, caller: Caller) -> dict[str, Any]:
    """What blocks, and the rule that each relationship has in this version: the plan of a purge goes by it."""
    blocked = [await runtime.references.closer.count(one, parent_id, caller) for one in namings]
    return {
        "blockedBy": [one.body() for one in blocked if one is not None],
        "rules": [{"relationship": one.relationship, "onDelete": one.reference.on_delete.value} for one in namings],
    }


def _namings(runtime: Runtime, body: Mapping[str, Any]) -> list[Naming]:
    """Raises RelationshipUnknown."""
    parent = text_of(body, "parent", "")
    items = items_of(body, "relationships", RELATIONSHIPS_MAX)
    return [runtime.references.namings.find(typed(one, str, where), parent) for one, where in items]


def _closings(runtime: Runtime, body: Mapping[str, Any]) -> list[Closing]:
    """Every relationship with every parent."""
    namings = _namings(runtime, body)
    parents = [(object_of(one, where), where) for one, where in items_of(body, "items", BATCH_MAX)]
    if not namings or not parents or len(namings) * len(parents) > CLOSURES_MAX:
        raise malformed("/items")
    return [
        Closing(naming, text_of(one, "id", where), number_of(one, "epoch", where))
        for naming in namings
        for one, where in parents
    ]


def _ids(body: Mapping[str, Any]) -> list[str]:
    return [typed(one, str, where) for one, where in items_of(body, "ids", BATCH_MAX)]
