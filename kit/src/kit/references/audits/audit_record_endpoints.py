"""What the gateway asks a service about its records of audits."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kit.dependencies import RuntimeDep
from kit.problems import FieldError, InvalidRequest, NotFound
from kit.references.audits.audit import PAGE
from kit.references.audits.audit_records import REPORTS_MAX, AuditRecords
from kit.references.reading import body_of, items_of, json_response, number_of, object_of, text_of, typed
from kit.routing import WITHOUT_IDEMPOTENCY
from kit.runtime import Runtime

_OPTIONS: dict[str, Any] = {"include_in_schema": False, "openapi_extra": WITHOUT_IDEMPOTENCY}


def record_routes(router: APIRouter) -> None:
    @router.post("/records/begin", operation_id="beginAuditRecord", **_OPTIONS)
    async def begin(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        head = {
            "_id": text_of(body, "auditId", ""),
            "asked": None if body.get("asked") is None else texts_of(body, "asked", PAGE),
            "planned": [object_of(one, where) for one, where in items_of(body, "planned", REPORTS_MAX)],
            "services": texts_of(body, "services", PAGE),
            "unknown": texts_of(body, "unknown", PAGE),
            "startedBy": text_of(body, "startedBy", ""),
            "holder": text_of(body, "holder", ""),
        }
        return json_response({"isNew": await _records(runtime).begin(head)})

    @router.post("/records/beat", operation_id="beatAuditRecord", **_OPTIONS)
    async def beat(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        held = await _records(runtime).beat(
            text_of(body, "auditId", ""), number_of(body, "beat", ""), text_of(body, "holder", "")
        )
        return json_response({"isHeld": held})

    @router.post("/records/save", operation_id="saveAuditRecord", **_OPTIONS)
    async def save(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        report = object_of(body.get("report"), "/report")
        for name in ("relationship", "parent"):
            text_of(report, name, "/report")
        for name in ("orphanCount", "childrenRead"):
            number_of(report, name, "/report")
        if not await _records(runtime).save(text_of(body, "auditId", ""), report):
            raise NotFound("There is no such audit here.")
        return json_response({})

    @router.post("/records/finish", operation_id="finishAuditRecord", **_OPTIONS)
    async def finish(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        owner = None if body.get("owner") is None else object_of(body["owner"], "/owner")
        reason = None if body.get("reason") is None else text_of(body, "reason", "")
        return json_response({"isDone": await _records(runtime).finish(text_of(body, "auditId", ""), owner, reason)})

    _reading_routes(router)


def _reading_routes(router: APIRouter) -> None:
    @router.post("/records/read", operation_id="readAuditRecord", **_OPTIONS)
    async def read(request: Request, runtime: RuntimeDep) -> Response:
        return json_response({"audit": await _records(runtime).find(text_of(await body_of(request), "auditId", ""))})

    @router.post("/records/latest", operation_id="latestAuditRecords", **_OPTIONS)
    async def latest(request: Request, runtime: RuntimeDep) -> Response:
        return json_response({"audits": await _records(runtime).latest(limit_of(await body_of(request)))})

    @router.post("/records/running", operation_id="runningAuditRecords", **_OPTIONS)
    async def running(runtime: RuntimeDep) -> Response:
        records = _records(runtime)
        return json_response({"audits": await records.running(), "figures": await records.figures()})


def texts_of(body: Mapping[str, Any], name: str, items_max: int) -> list[str]:
    return [typed(one, str, where) for one, where in items_of(body, name, items_max)]


def limit_of(body: Mapping[str, Any]) -> int:
    limit = number_of(body, "limit", "")
    if not 1 <= limit <= PAGE:
        raise InvalidRequest(errors=[FieldError("/limit", "out-of-range", f"From 1 to {PAGE}.")])
    return limit


def _records(runtime: Runtime) -> AuditRecords:
    return AuditRecords(runtime.store, runtime.clock)
