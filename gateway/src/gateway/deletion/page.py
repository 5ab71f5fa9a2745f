"""`GET /v1/deletions/{deletionId}`: a delete that goes on, for whoever asked for it and for admins."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.answers import answer
from gateway.deletion.calls import PREFIX
from gateway.deletion.steps import owner_of
from gateway.forwarding import problem_of
from gateway.internal import InternalCalls, json_object
from gateway.own_api import OwnOperation, refusals
from gateway.request import Request
from gateway.upstream_errors import BadAnswerError, UpstreamError
from kit.identity import Caller
from kit.problems import InvalidRequest, NotFound, Unavailable

PATH: Final = "/v1/deletions/{deletionId}"
TAG: Final = "deletions"
_TEXT: Final = {"type": "string"}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


_BLOCKED: Final = _object(relationship=_TEXT, count={"type": "integer"}, ids={"type": "array", "items": _TEXT})
SAID: Final[dict[str, Any]] = {
    "operationId": "getDeletion",
    "summary": "A delete that goes on",
    "description": (
        "Where it stands: `deleting` while it may still be refused, `purging` after that, then `done`, `refused`, "
        "`overtaken` (by the delete of a parent) or `abandoned` (it never began; ask again). `waitingFor` names the "
        "services without which it can't go on. For whoever asked for the delete, and for admins."
    ),
    "tags": [TAG],
    "parameters": [{"name": "deletionId", "in": "path", "required": True, "schema": {"type": "string"}}],
    "responses": {
        "200": {
            "description": "The deletion.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["deletionId", "entity", "id", "state", "step", "waitingFor", "progress"],
                        "properties": {
                            "deletionId": {"type": "string"},
                            "entity": {"type": "string"},
                            "id": {"type": "string"},
                            "state": {"enum": ["deleting", "purging", "done", "refused", "overtaken", "abandoned"]},
                            "step": {"type": "string"},
                            "waitingFor": {"type": "array", "items": _object(service=_TEXT, reason=_TEXT)},
                            "progress": {"type": "object", "additionalProperties": {"type": "integer"}},
                            "blockedBy": {"type": "array", "items": _BLOCKED},
                            "overtakenBy": {"type": "string"},
                            "requestedBy": {"type": ["string", "null"]},
                            "startedAt": {"type": "string", "format": "date-time"},
                            "updatedAt": {"type": "string", "format": "date-time"},
                            "finishedAt": {"type": ["string", "null"], "format": "date-time"},
                        },
                    }
                }
            },
        },
        **refusals(InvalidRequest, NotFound, Unavailable),
    },
}


class DeletionPage:
    def __init__(self, calls: Mapping[str, InternalCalls], *, timeout_s: float) -> None:
        self._calls = calls
        self._timeout_s = timeout_s

    def operation(self) -> OwnOperation:
        return OwnOperation("GET", PATH, self._get, SAID)

    async def read(self, deletion_id: str, caller: Caller, *, timeout_s: float | None = None) -> bytes:
        """The deletion as its owner has it. Raises NotFound for anybody who didn't ask for it, and Unavailable."""
        owner = owner_of(deletion_id)
        service = self._calls.get(owner)
        if service is None:
            raise NotFound("There is no such deletion.")
        said = {"deletionId": deletion_id}
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            found = await service.post(PREFIX + "deletions/read", said, timeout_s=timeout_s, caller=caller)
            if found.status == 404:
                raise NotFound("There is no such deletion.")
            if json_object(found).get("deletionId") != deletion_id:
                raise BadAnswerError("it does not say how the deletion stands")
        except UpstreamError as error:
            raise problem_of(error, owner, "GET") from error
        return found.body

    async def _get(self, request: Request, values: Mapping[str, str]) -> None:
        request.caller.require_signed_in()
        await answer(request, 200, await self.read(values["deletionId"], request.caller))
