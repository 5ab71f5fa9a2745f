"""How answers are rendered, and how problems are documented."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from kit.problems import MEDIA_TYPE, Problem

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A problem document of RFC 9457. `code` is stable; `errors` names the bad fields.",
    "required": ["type", "title", "status", "code", "detail", "instance", "requestId"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "requestId": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the body, or /<parameter>"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}


def problem_response(request: Request, problem: Problem) -> Response:
    """The answer for a refusal. The instance is the path without the query, which may hold what is not for logs."""
    request_id = request.scope["state"].get("request_id", "")
    body = orjson.dumps(problem.body(instance=request.scope["path"], request_id=request_id), default=str)
    response = Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=problem.headers)
    request.scope["state"]["problem_code"] = problem.code
    return response


def documented(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """`responses=documented(NotFound, IllegalTransition)` of a route: what it may refuse, by status and code."""
    by_status: dict[int | str, list[str]] = {}
    for problem in problems:
        codes = by_status.setdefault(problem.status, [])
        if problem.code not in codes:
            codes.append(problem.code)
    return {status: problem_entry(int(status), codes) for status, codes in by_status.items()}


def problem_entry(status: int, codes: Iterable[str]) -> dict[str, Any]:
    """One entry of an operation's `responses` in OpenAPI."""
    codes = sorted(codes)
    return {
        "description": f"{HTTPStatus(status).phrase}: " + ", ".join(f"`{code}`" for code in codes),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        "x-codes": codes,
    }
