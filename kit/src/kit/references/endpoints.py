"""What the gateway asks a service about references. The context says that it is the gateway."""

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from kit import strict_json
from kit.dependencies import CallerDep, RuntimeDep
from kit.identity import Caller
from kit.problems import FieldError, InvalidRequest, NotFound
from kit.references.declaration import OnDelete
from kit.references.owner import QUESTIONS_MAX, Answer, Question
from kit.references.planning import Planner
from kit.references.registry import RELATIONSHIPS_MAX, Application
from kit.routing import WITHOUT_IDEMPOTENCY, KitRoute

PREFIX = "/internal/references"
T = TypeVar("T")


def reference_router(planners: Mapping[str, Planner]) -> APIRouter:
    router = APIRouter(route_class=KitRoute, prefix=PREFIX)
    options: dict[str, Any] = {"include_in_schema": False, "openapi_extra": WITHOUT_IDEMPOTENCY}

    @router.post("/register", operation_id="registerReferences", **options)
    async def register(request: Request, runtime: RuntimeDep) -> Response:
        body = _object(strict_json.loads(await request.body()), "")
        service = _text(body, "service", "")
        wishes = [_application(one, where) for one, where in _items(body, "relationships", RELATIONSHIPS_MAX)]
        refused = await runtime.references.registry.register(service, wishes, runtime.clock.now())
        names = {one.relationship for one in refused}
        return _json(
            {
                "registered": sorted({one.relationship for one in wishes} - names),
                "refused": [
                    {"relationship": one.relationship, "code": one.code, "detail": one.detail} for one in refused
                ],
            }
        )

    @router.post("/validate", operation_id="validateReferences", **options)
    async def validate(request: Request, runtime: RuntimeDep) -> Response:
        body = _object(strict_json.loads(await request.body()), "")
        questions = [_question(one, where) for one, where in _items(body, "items", QUESTIONS_MAX)]
        answers = await runtime.references.owner.validate(questions)
        return _json({"items": [_answer(one) for one in answers]})

    @router.post("/parents", operation_id="planReferences", **options)
    async def parents(request: Request, runtime: RuntimeDep, caller: CallerDep) -> Response:
        body = _object(strict_json.loads(await request.body()), "")
        planner = planners.get(_text(body, "operationId", ""))
        if planner is None:
            raise NotFound("The operation has no conditions on parents.")
        path_parameters = _object(body.get("pathParameters", {}), "/pathParameters")
        plan = await planner(runtime, caller, path_parameters, body.get("body"))
        return _json(plan.body())

    return router


def _application(said: Any, where: str) -> Application:
    wish = _object(said, where)
    on_delete = _text(wish, "onDelete", where)
    if on_delete not in OnDelete.__members__:
        raise _malformed(f"{where}/onDelete")
    fields = {
        parent
        for option in ("match", "copy", "key")
        for parent in _object(wish.get(option, {}), f"{where}/{option}").values()
    }
    return Application(
        _text(wish, "relationship", where), _text(wish, "parent", where), OnDelete(on_delete), frozenset(fields)
    )


def _question(said: Any, where: str) -> Question:
    item = _object(said, where)
    has_key = item.get("key") is not None
    copy = _typed(item.get("copy") or [], list, f"{where}/copy")
    return Question(
        _text(item, "relationship", where),
        _text(item, "parent", where),
        id=None if has_key else _text(item, "id", where),
        key=_scalars(item["key"], f"{where}/key") if has_key else None,
        match=_scalars(item.get("match") or {}, f"{where}/match"),
        copy=tuple(_typed(name, str, f"{where}/copy") for name in copy),
        require=_object(item.get("require") or {}, f"{where}/require"),
        caller=_caller(item.get("caller") or {}, f"{where}/caller"),
    )


def _caller(said: Any, where: str) -> Caller:
    caller = _object(said, where)
    caller_id = caller.get("id")
    if caller_id is not None:
        _typed(caller_id, str, f"{where}/id")
    roles = _typed(caller.get("roles") or [], list, f"{where}/roles")
    return Caller(caller_id, frozenset(_typed(role, str, f"{where}/roles") for role in roles))


def _answer(answer: Answer) -> dict[str, Any]:
    if answer.ok:
        return {"status": "ok", "id": answer.id, "epoch": answer.epoch, "copied": dict(answer.copied)}
    return {"status": answer.status, "detail": answer.detail}


def _items(body: Mapping[str, Any], name: str, items_max: int) -> list[tuple[Any, str]]:
    items = _typed(body.get(name), list, f"/{name}")
    if len(items) > items_max:
        raise InvalidRequest(errors=[FieldError(f"/{name}", "too-long", f"At most {items_max} are taken at once.")])
    return [(item, f"/{name}/{position}") for position, item in enumerate(items)]


def _object(value: Any, where: str) -> dict[str, Any]:
    return _typed(value, dict, where)


def _scalars(value: Any, where: str) -> dict[str, Any]:
    """Values to compare with: a list or an object would be an operator's way into the query."""
    found = _object(value, where)
    for name, one in found.items():
        if not isinstance(one, str | int | bool) and one is not None:
            raise _malformed(f"{where}/{name}")
    return found


def _text(value: Mapping[str, Any], name: str, where: str) -> str:
    return _typed(value.get(name), str, f"{where}/{name}")


def _typed(value: Any, wanted: type[T], where: str) -> T:
    if not isinstance(value, wanted):
        raise _malformed(where)
    return value


def _malformed(where: str) -> InvalidRequest:
    return InvalidRequest(errors=[FieldError(where, "wrong-type", "It is not of the type that is expected here.")])


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
