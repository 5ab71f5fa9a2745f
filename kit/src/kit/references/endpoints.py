"""What the gateway asks a service about references. The context says that it is the gateway."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from kit.dependencies import CallerDep, RuntimeDep
from kit.identity import Caller
from kit.problems import ReferencesNotValidated
from kit.references.internal_routes import RELATIONSHIPS_MAX
from kit.references.owner import QUESTIONS_MAX, Answer, Question
from kit.references.planning import Planner
from kit.references.reading import (
    body_of,
    items_of,
    json_response,
    object_of,
    on_delete_of,
    scalars_of,
    text_of,
    typed,
)
from kit.references.registry import Application
from kit.routing import WITHOUT_IDEMPOTENCY, KitRoute

PREFIX = "/internal/references"


def reference_router(planners: Mapping[str, Planner]) -> APIRouter:
    router = APIRouter(route_class=KitRoute, prefix=PREFIX)
    options: dict[str, Any] = {"include_in_schema": False, "openapi_extra": WITHOUT_IDEMPOTENCY}

    @router.post("/register", operation_id="registerReferences", **options)
    async def register(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        service = text_of(body, "service", "")
        wishes = [_application(one, where) for one, where in items_of(body, "relationships", RELATIONSHIPS_MAX)]
        refused = await runtime.references.registry.register(service, wishes, runtime.clock.now())
        names = {one.relationship for one in refused}
        return json_response(
            {
                "registered": sorted({one.relationship for one in wishes} - names),
                "refused": [
                    {"relationship": one.relationship, "parent": one.parent, "code": one.code, "detail": one.detail}
                    for one in refused
                ],
            }
        )

    @router.post("/validate", operation_id="validateReferences", **options)
    async def validate(request: Request, runtime: RuntimeDep) -> Response:
        body = await body_of(request)
        questions = [_question(one, where) for one, where in items_of(body, "items", QUESTIONS_MAX)]
        answers = await runtime.references.owner.validate(questions)
        return json_response({"items": [_answer(one) for one in answers]})

    @router.post("/parents", operation_id="planReferences", **options)
    async def parents(request: Request, runtime: RuntimeDep, caller: CallerDep) -> Response:
        body = await body_of(request)
        planner = planners.get(text_of(body, "operationId", ""))
        if planner is None:
            raise ReferencesNotValidated("This version has no such operation with conditions on parents.")
        path_parameters = object_of(body.get("pathParameters", {}), "/pathParameters")
        plan = await planner(runtime, caller, path_parameters, body.get("body"))
        return json_response(plan.body())

    return router


def _application(said: Any, where: str) -> Application:
    wish = object_of(said, where)
    fields = {
        parent
        for option in ("match", "copy", "key")
        for parent in object_of(wish.get(option, {}), f"{where}/{option}").values()
    }
    return Application(
        text_of(wish, "relationship", where),
        text_of(wish, "parent", where),
        on_delete_of(wish, where),
        frozenset(fields),
    )


def _question(said: Any, where: str) -> Question:
    item = object_of(said, where)
    has_key = item.get("key") is not None
    copy = typed(item.get("copy") or [], list, f"{where}/copy")
    return Question(
        text_of(item, "relationship", where),
        text_of(item, "parent", where),
        id=None if has_key else text_of(item, "id", where),
        key=scalars_of(item["key"], f"{where}/key") if has_key else None,
        match=scalars_of(item.get("match") or {}, f"{where}/match"),
        copy=tuple(typed(name, str, f"{where}/copy") for name in copy),
        require=object_of(item.get("require") or {}, f"{where}/require"),
        caller=_caller(item.get("caller") or {}, f"{where}/caller"),
    )


def _caller(said: Any, where: str) -> Caller:
    caller = object_of(said, where)
    caller_id = caller.get("id")
    if caller_id is not None:
        typed(caller_id, str, f"{where}/id")
    roles = typed(caller.get("roles") or [], list, f"{where}/roles")
    return Caller(caller_id, frozenset(typed(role, str, f"{where}/roles") for role in roles))


def _answer(answer: Answer) -> dict[str, Any]:
    if answer.ok:
        return {"status": "ok", "id": answer.id, "epoch": answer.epoch, "copied": dict(answer.copied)}
    return {"status": answer.status, "detail": answer.detail}
