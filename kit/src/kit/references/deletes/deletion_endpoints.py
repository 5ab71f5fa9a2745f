"""What the gateway asks the owner of a delete's root: each arrow of the root's life."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kit.dependencies import CallerDep, RuntimeDep
from kit.identity import Caller
from kit.problems import ReferencesNotValidated
from kit.references.deletes.deleting import DeletePlan, Deleter
from kit.references.deletes.deletions import referring
from kit.references.internal_routes import RELATIONSHIPS_MAX, add_route
from kit.references.reading import (
    body_of,
    items_of,
    json_response,
    number_of,
    object_of,
    on_delete_of,
    text_of,
    typed,
)
from kit.routing import KitRoute
from kit.runtime import Runtime

BLOCKED_MAX = 1_000


def deletion_router(deleters: Mapping[str, Deleter], entities: Mapping[str, str]) -> APIRouter:
    """`entities` says by operation id what is deleted."""
    router = APIRouter(route_class=KitRoute, prefix="/internal/references/deletions")
    asked = _Deleters(deleters, entities)
    add_route(router, "/plan", asked.plan, "planDeletion")
    add_route(router, "/begin", asked.begin, "beginDeletion", step="begin")
    add_route(router, "/resume", resume, "resumeDeletion")
    add_route(router, "/refuse", refuse, "refuseDeletion", step="refuse")
    add_route(router, "/purge", purge, "purgeDeletion", step="purge")
    add_route(router, "/finish", finish, "finishDeletion", step="finish")
    add_route(router, "/report", report, "reportDeletion", step="report")
    add_route(router, "/unfinished", unfinished, "listUnfinishedDeletions")
    add_route(router, "/read", read, "readDeletion")
    return router


class _Deleters:
    """What needs the service's own word."""

    def __init__(self, deleters: Mapping[str, Deleter], entities: Mapping[str, str]) -> None:
        self._deleters = deleters
        self._entities = entities

    async def plan(self, request: Request, runtime: RuntimeDep, caller: CallerDep) -> Response:
        entity, found = await self._planned(runtime, caller, await body_of(request))
        relationships = await runtime.references.registry.relationships_to(entity)
        told = [referring(one) for one in relationships]
        in_deletion = await runtime.references.deletions.is_in_deletion(entity, found.id)
        return json_response({"entity": entity, "id": found.id, "relationships": told, "inDeletion": in_deletion})

    async def begin(self, request: Request, runtime: RuntimeDep, caller: CallerDep) -> Response:
        entity, found = await self._planned(runtime, caller, await body_of(request))
        standing = await runtime.references.deletions.begin(runtime.name, entity, found, caller.id)
        return json_response(standing.body())

    async def _planned(self, runtime: Runtime, caller: Caller, body: Mapping[str, Any]) -> tuple[str, DeletePlan]:
        operation_id = text_of(body, "operationId", "")
        deleter = self._deleters.get(operation_id)
        if deleter is None:
            raise ReferencesNotValidated("This version has no such operation that deletes.")
        if_match = None if body.get("ifMatch") is None else number_of(body, "ifMatch", "")
        values = object_of(body.get("pathParameters"), "/pathParameters")
        parameters = {name: text_of(values, name, "/pathParameters") for name in values}
        return self._entities[operation_id], await deleter(runtime, caller, parameters, if_match)


async def resume(request: Request, runtime: RuntimeDep) -> Response:
    deletion_id = text_of(await body_of(request), "deletionId", "")
    return json_response((await runtime.references.deletions.resume(deletion_id)).body())


async def refuse(request: Request, runtime: RuntimeDep) -> Response:
    body = await body_of(request)
    blocked = [_blocked(one, where) for one, where in items_of(body, "blockedBy", BLOCKED_MAX)]
    return json_response((await runtime.references.deletions.refuse(*_attempt(body), blocked)).body())


async def purge(request: Request, runtime: RuntimeDep) -> Response:
    body = await body_of(request)
    plan = [_planned(one, where) for one, where in items_of(body, "plan", RELATIONSHIPS_MAX)]
    return json_response((await runtime.references.deletions.purge(*_attempt(body), plan)).body())


async def finish(request: Request, runtime: RuntimeDep) -> Response:
    body = await body_of(request)
    return json_response((await runtime.references.deletions.finish(*_attempt(body), _progress(body))).body())


async def report(request: Request, runtime: RuntimeDep) -> Response:
    body = await body_of(request)
    waiting = [_waiting(one, where) for one, where in items_of(body, "waitingFor", RELATIONSHIPS_MAX)]
    await runtime.references.deletions.records.report(
        text_of(body, "deletionId", ""),
        step=text_of(body, "step", ""),
        waiting_for=waiting,
        progress=_progress(body),
    )
    return json_response({})


async def unfinished(request: Request, runtime: RuntimeDep) -> Response:
    await body_of(request)
    return json_response({"items": await runtime.references.deletions.unfinished()})


async def read(request: Request, runtime: RuntimeDep, caller: CallerDep) -> Response:
    deletion_id = text_of(await body_of(request), "deletionId", "")
    return json_response(await runtime.references.deletions.read(deletion_id, caller))


def _attempt(body: Mapping[str, Any]) -> tuple[str, int]:
    return text_of(body, "deletionId", ""), number_of(body, "epoch", "")


def _progress(body: Mapping[str, Any]) -> dict[str, int]:
    progress = object_of(body.get("progress"), "/progress")
    return {name: number_of(progress, name, "/progress") for name in progress}


def _blocked(said: Any, where: str) -> dict[str, Any]:
    one = object_of(said, where)
    ids = typed(one.get("ids"), list, f"{where}/ids")
    for position, one_id in enumerate(ids):
        typed(one_id, str, f"{where}/ids/{position}")
    return {"relationship": text_of(one, "relationship", where), "count": number_of(one, "count", where), "ids": ids}


def _planned(said: Any, where: str) -> dict[str, str]:
    one = object_of(said, where)
    return {
        "relationship": text_of(one, "relationship", where),
        "service": text_of(one, "service", where),
        "onDelete": on_delete_of(one, where).value,
    }


def _waiting(said: Any, where: str) -> dict[str, str]:
    one = object_of(said, where)
    return {"service": text_of(one, "service", where), "reason": text_of(one, "reason", where)}
