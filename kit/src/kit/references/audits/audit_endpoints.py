"""What the gateway asks a service for an audit: its pages as a child and as an owner, and repairs that are ordered."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from kit.dependencies import RuntimeDep
from kit.documents import Entity, Record
from kit.problems import FieldError, InvalidRequest
from kit.references.audits.audit import PAGE
from kit.references.audits.audit_findings import Asked, Child, Names, Relationship, relationships
from kit.references.audits.audit_record_endpoints import limit_of, record_routes, texts_of
from kit.references.audits.audit_records import ReferenceAudit, ReferenceAuditFigure, ReferenceAuditReport
from kit.references.audits.audit_sides import StoreChildSide, StoreOwnerSide, StoreParentSide
from kit.references.audits.repair import Order, QuarantinedRow, Repairs, closure_epoch
from kit.references.publication import published_entities
from kit.references.reading import (
    body_of,
    items_of,
    json_response,
    malformed,
    number_of,
    text_of,
    typed,
)
from kit.routing import WITHOUT_IDEMPOTENCY, KitRoute
from kit.runtime import Runtime

PREFIX = "/internal/references/audit"
REFUSED = "no-such"
AUDIT_RECORDS: tuple[type[Record], ...] = (
    ReferenceAudit,
    ReferenceAuditReport,
    ReferenceAuditFigure,
    QuarantinedRow,
)
_log = structlog.get_logger("kit.repair")
_OPTIONS: dict[str, Any] = {"include_in_schema": False, "openapi_extra": WITHOUT_IDEMPOTENCY}


def audit_router() -> APIRouter:
    router = APIRouter(route_class=KitRoute, prefix=PREFIX)
    _child_routes(router)
    _owner_routes(router)
    record_routes(router)
    _repair_routes(router)
    return router


def _child_routes(router: APIRouter) -> None:
    @router.post("/children", operation_id="auditChildren", **_OPTIONS)
    async def children(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        relationship = _relationship(body, runtime)
        page = await _child_side(runtime).page(relationship, text_of(body, "after", ""), limit_of(body))
        return json_response({"children": [_child(one) for one in page.children], "last": page.last})

    @router.post("/children/again", operation_id="auditChildrenAgain", **_OPTIONS)
    async def again(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        relationship = _relationship(body, runtime)
        found = await _child_side(runtime).again(relationship, texts_of(body, "ids", PAGE))
        return json_response({"children": [_child(one) for one in found]})

    @router.post("/intents", operation_id="auditIntents", **_OPTIONS)
    async def intents(request: Request, runtime: RuntimeDep) -> Response:
        found = await _child_side(runtime).pending(_relationship(await body_of(request), runtime))
        return json_response({"intents": [{"id": one.child_id, "kind": one.kind, "ageS": one.age_s} for one in found]})

    @router.post("/closures", operation_id="auditClosures", **_OPTIONS)
    async def closures(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        relationship = _relationship(body, runtime)
        page = await _child_side(runtime).closures(relationship, text_of(body, "after", ""), limit_of(body))
        said = [
            {"id": one.parent_id, "epoch": one.epoch, "closed": one.closed, "ageS": one.age_s} for one in page.closures
        ]
        return json_response({"closures": said, "last": page.last})


def _owner_routes(router: APIRouter) -> None:
    @router.post("/parents", operation_id="auditParents", **_OPTIONS)
    async def parents(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        asked = _asked(body, runtime)
        seen = await StoreParentSide(runtime.store).look(asked, _names(body, len(asked.key)))
        said = [
            {"names": list(names), "values": dict(one.values), "state": one.state, "epoch": one.epoch}
            for names, one in seen.items()
        ]
        return json_response({"parents": said})

    @router.post("/registered", operation_id="auditRegistered", **_OPTIONS)
    async def registered(runtime: RuntimeDep) -> Response:
        found = await StoreOwnerSide(runtime.store).registered()
        return json_response({"registered": [one.body() for one in found]})

    @router.post("/validated", operation_id="markReferencesValidated", **_OPTIONS)
    async def validated(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        relationship, parent = text_of(body, "relationship", ""), text_of(body, "parent", "")
        done = await StoreOwnerSide(runtime.store).mark_validated(
            relationship, parent, text_of(body, "registeredAt", ""), runtime.clock.now()
        )
        return json_response({"isValidated": done})

    @router.post("/in-deletion", operation_id="auditInDeletion", **_OPTIONS)
    async def in_deletion(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        entity = _entity(body, "entity", runtime)
        page = await StoreOwnerSide(runtime.store).in_deletion(
            entity.collection_name(), text_of(body, "after", ""), limit_of(body)
        )
        return json_response({"found": [one.body() for one in page.found], "last": page.last})

    @router.post("/open-deletions", operation_id="auditOpenDeletions", **_OPTIONS)
    async def open_deletions(request: Request, runtime: RuntimeDep) -> Response:
        ids = texts_of(await body_of(request), "ids", PAGE)
        return json_response({"open": await StoreOwnerSide(runtime.store).open_deletions(ids)})


def _repair_routes(router: APIRouter) -> None:
    @router.post("/repair/look", operation_id="lookBeforeRepair", **_OPTIONS)
    async def look(request: Request, runtime: RuntimeDep) -> Response:
        state, child = await _repairs(runtime).look(_order(await body_of(request), runtime))
        return json_response({"state": state, "child": None if child is None else _child(child)})

    @router.post("/repair", operation_id="repairOrphan", **_OPTIONS)
    async def repair(request: Request, runtime: RuntimeDep) -> Response:
        repaired = await _repairs(runtime).carry_out(_order(await body_of(request), runtime))
        return json_response({"result": repaired.result, "deletionId": repaired.deletion_id})

    @router.post("/closure", operation_id="readClosure", **_OPTIONS)
    async def closure(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        relationship = _relationship(body, runtime)
        epoch = await closure_epoch(
            runtime.store, relationship.name, relationship.parent, text_of(body, "parentId", "")
        )
        return json_response({"epoch": epoch})

    @router.post("/raise-epoch", operation_id="raiseEpoch", **_OPTIONS)
    async def raise_epoch(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        entity = _entity(body, "parent", runtime).collection_name()
        parent_id, above = text_of(body, "id", ""), number_of(body, "above", "")
        said = {"by": text_of(body, "by", ""), "audit": text_of(body, "auditId", "")}
        result = await StoreOwnerSide(runtime.store).raise_epoch(entity, parent_id, above)
        _log.info("epoch raised", entity=entity, parent=parent_id, above=above, result=result, **said)
        return json_response({"result": result})


def _order(body: Mapping[str, Any], runtime: Runtime) -> Order:
    return Order(
        _relationship(body, runtime),
        text_of(body, "childId", ""),
        text_of(body, "parentId", ""),
        typed(body.get("keeps"), bool, "/keeps"),
        text_of(body, "auditId", ""),
        text_of(body, "by", ""),
        None if body.get("match") is None else typed(body["match"], dict, "/match"),
    )


def _child_side(runtime: Runtime) -> StoreChildSide:
    return StoreChildSide(runtime.store, runtime.clock)


def _repairs(runtime: Runtime) -> Repairs:
    references = runtime.references
    return Repairs(
        runtime.store,
        references.documents,
        service=runtime.name,
        deletions=references.deletions,
        cascade=references.cascade,
        parts=references.parts,
        clock=runtime.clock,
    )


def _relationship(body: Mapping[str, Any], runtime: Runtime) -> Relationship:
    """Raises InvalidRequest at /relationship if no document here declares it with this parent."""
    name, parent = text_of(body, "relationship", ""), text_of(body, "parent", "")
    value = None if body.get("value") is None else text_of(body, "value", "")
    for one in relationships(published_entities(runtime.references.documents)):
        if (one.name, one.parent, one.value) == (name, parent, value):
            return one
    raise _unknown("/relationship", "No document of this service declares it with this parent.")


def _entity(body: Mapping[str, Any], name: str, runtime: Runtime) -> type[Entity]:
    asked = text_of(body, name, "")
    for one in runtime.references.documents:
        if issubclass(one, Entity) and one.collection_name() == asked:
            return one
    raise _unknown(f"/{name}", "No such entity belongs to this service.")


def _asked(body: Mapping[str, Any], runtime: Runtime) -> Asked:
    """Only the key and what the entity exposes: an audit sees no more of a document than a validation does."""
    entity = _entity(body, "parent", runtime)
    key, fields = tuple(texts_of(body, "key", 16)), tuple(texts_of(body, "fields", 16))
    if key not in {("_id",), entity.rules.composite} and set(key) != set(entity.rules.composite or ()):
        raise _unknown("/key", "It is not the key of this entity.")
    if not set(fields) <= entity.rules.readable():
        raise _unknown("/fields", "The entity does not expose them all.")
    return Asked(entity.collection_name(), key, fields, of_parts=typed(body.get("ofParts", False), bool, "/ofParts"))


def _names(body: Mapping[str, Any], length: int) -> list[Names]:
    found: list[Names] = []
    for one, where in items_of(body, "names", PAGE):
        values = typed(one, list, where)
        if len(values) != length or not all(isinstance(value, str | int | float) for value in values):
            raise malformed(where)
        found.append(tuple(values))
    return found


def _child(child: Child) -> dict[str, Any]:
    return {"id": child.id, "names": list(child.names), "match": dict(child.match)}


def _unknown(pointer: str, detail: str) -> InvalidRequest:
    return InvalidRequest(errors=[FieldError(pointer, REFUSED, detail)])
