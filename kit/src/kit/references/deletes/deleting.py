"""How a service says that a document may be deleted. The gateway coordinates the delete: it asks here whether the
caller may, and has the document marked only if what the service wants of it still holds."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from kit.identity import Caller
from kit.problems import DeleteRestricted, NotFound, Problem, ReferencesNotValidated, VersionMismatch
from kit.references.declaration import DeclarationError
from kit.responses import documented

if TYPE_CHECKING:
    from kit.runtime import Runtime

DELETES = "x-reference-delete"
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async`: answer 202 instead of waiting for the end.",
    "schema": {"type": "string"},
}


@dataclass(frozen=True, slots=True)
class DeletePlan:
    """`where` is what must hold of the document when it is marked, by stored names; `version` that of If-Match."""

    id: str
    where: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None


Deleter = Callable[["Runtime", Caller, Mapping[str, str], int | None], Awaitable[DeletePlan]]
"""(runtime, caller, path parameters, If-Match) -> plan. Raises the operation's own refusals. It is asked more than once
for one delete."""


def deletes(entity: str) -> dict[str, Any]:
    """`openapi_extra` of a DELETE that the gateway coordinates."""
    return {DELETES: entity, "parameters": [_PREFER]}


def delete_responses(*refusals: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """`responses` of such a DELETE."""
    text = {"type": "string"}
    location = {"description": "Where the delete can be followed: GET /v1/deletions/{deletionId}.", "schema": text}
    applied = {"description": "`respond-async`, if the request preferred it.", "schema": text}
    begun = {
        "type": "object",
        "required": ["deletionId", "entity", "id"],
        "properties": {"deletionId": text, "entity": text, "id": text, "state": text},
    }
    return {
        204: {"description": "It is gone, with all that went with it."},
        202: {
            "description": "The delete goes on; it can't be told yet how it ends.",
            "headers": {"Location": location, "Preference-Applied": applied},
            "content": {"application/json": {"schema": begun}},
        },
        **documented(NotFound, DeleteRestricted, VersionMismatch, *refusals),
    }


def refuse_direct() -> NoReturn:
    """For the function of such a route. Raises ReferencesNotValidated: a delete that came here without the gateway's
    coordination would leave behind what refers to the document."""
    raise ReferencesNotValidated("Send the delete to the gateway, which coordinates it.")


def deleted_entities(document: Mapping[str, Any]) -> dict[str, str]:
    """By operation id, the entity that it deletes. Raises DeclarationError for an entity that is not here, and for one
    with a natural key: a delete looks for what names the parent's id, and who refers by such a key does not."""
    found: dict[str, str] = {}
    entities = document.get("x-entities", {})
    for path, item in document.get("paths", {}).items():
        entity = item.get("delete", {}).get(DELETES)
        if entity is None:
            continue
        if entity not in entities:
            raise DeclarationError(f"DELETE {path}: {DELETES} names {entity}, which is no entity here")
        natural = entities[entity].get("composite")
        if natural:
            raise DeclarationError(
                f"DELETE {path}: {DELETES} names {entity}, which has a natural key ({', '.join(natural)}), so a delete "
                "would not find who refers to it: retire it by a state of its own instead"
            )
        found[item["delete"]["operationId"]] = entity
    return found


def check_deleters(entities: Mapping[str, str], deleters: Collection[str]) -> None:
    """Raises DeclarationError unless every operation that deletes has a deleter, and every deleter its operation."""
    if entities.keys() != set(deleters):
        names = ", ".join(sorted(entities.keys() ^ set(deleters)))
        raise DeclarationError(f"{DELETES} and deleters belong together, but only one of them is there for: {names}")
