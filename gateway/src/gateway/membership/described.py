"""The catalogue of references as an admin sees it, and how the merged document describes it and its commands."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.catalogue import Catalogue
from gateway.membership.operators import (
    RelationshipNeeded,
    RemovedMeanwhile,
    RestoredMeanwhile,
    ServiceInUse,
    ServiceUnknown,
)
from gateway.membership.registries import REGISTERED, Registries
from gateway.own_api import refusals
from kit.problems import Forbidden, InvalidRequest, NotFound, Problem, Unavailable

PATH: Final = "/v1/references"
ROLE: Final = "admin"
SEVERITY: Final = ("removed", "refused", "unregistered", "unknown", REGISTERED)
_RELATIONSHIP: Final = {
    "name": "relationship",
    "in": "path",
    "required": True,
    "description": "Collection and field of the child, such as trading_bots.userId.",
    "schema": {"type": "string", "pattern": "^[a-z][a-z0-9_]*\\.[A-Za-z][A-Za-z0-9]*$"},
}
_GONE: Final = {
    "name": "serviceIsGone",
    "in": "query",
    "description": "The child's service was shut down for good: only the owners are asked.",
    "schema": {"type": "boolean", "default": False},
}


def _json(description: str, **properties: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": list(properties),
        "properties": {
            name: {"type": kind, **({"items": {"type": "object"}} if kind == "array" else {})}
            for name, kind in properties.items()
        },
    }
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _command(
    operation_id: str, summary: str, description: str, *parameters: Mapping[str, Any], refused: Sequence[type[Problem]]
) -> dict[str, Any]:
    done = _json("It is done.", relationship="string", service="string", state="string", registrations="array")
    return {
        "operationId": operation_id,
        "summary": summary,
        "description": description,
        "tags": ["references"],
        "parameters": list(parameters),
        "responses": {"200": done, **refusals(InvalidRequest, Forbidden, NotFound, Unavailable, *refused)},
    }


LISTED: Final[dict[str, Any]] = {
    "operationId": "listReferences",
    "summary": "The catalogue of references",
    "description": (
        "Entities with their services and the references between them, as the services declare them; of each reference "
        "its state at the owners of its parents (registered, removed, refused, unregistered, unknown), as they say now."
    ),
    "tags": ["references"],
    "responses": {
        "200": _json("The catalogue in force.", entities="array", references="array", undeclared="array"),
        **refusals(InvalidRequest, Forbidden),
    },
}
REMOVED: Final = _command(
    "removeReference",
    "Remove a relationship",
    "No write of it is taken from then on, and deletes of its parents leave its children alone. May be repeated until "
    "it is done.",
    _RELATIONSHIP,
    _GONE,
    refused=(ServiceInUse, ServiceUnknown, RelationshipNeeded, RestoredMeanwhile),
)
RESTORED: Final = _command(
    "restoreReference",
    "Bring a removed relationship back",
    "Its children may name parents that were deleted meanwhile: audit it afterwards. May be repeated.",
    _RELATIONSHIP,
    refused=(ServiceUnknown, RelationshipNeeded, RemovedMeanwhile),
)


def catalogue_body(catalogue: Catalogue, registries: Registries) -> dict[str, list[dict[str, Any]]]:
    """Sorted by name. A polymorphic reference has one row, with `by` and `parents` instead of `parent`; `registrations`
    has its state for each parent, `state` the worst of them; it is `validated` if an audit found it whole for each of
    them since it was registered. `undeclared` are what owners remember of relationships that no service declares any
    more: deletes still ask for them."""
    entities: list[dict[str, Any]] = []
    references: list[dict[str, Any]] = []
    declared: set[tuple[str, str]] = set()
    for service, document in catalogue.documents.items():
        for name, said in document.entities.items():
            described = {key: value for key, value in said.items() if key != "references"}
            entities.append({"entity": name, "service": service, **described})
        for one in document.relationships:
            declared.add((one.name, one.parent))
        references += _references(catalogue, service, registries)
    return {
        "entities": sorted(entities, key=lambda one: str(one["entity"])),
        "references": sorted(references, key=lambda one: str(one["relationship"])),
        "undeclared": [
            {**row, "owner": owner}
            for owner, rows in sorted(registries.rows.items())
            for row in rows
            if (row["relationship"], row["parent"]) not in declared
        ],
    }


def _references(catalogue: Catalogue, service: str, registries: Registries) -> list[dict[str, Any]]:
    document = catalogue.documents[service]
    parents: dict[str, list[str]] = {}
    for one in document.relationships:
        parents.setdefault(one.name, []).append(one.parent)
    rows: list[dict[str, Any]] = []
    for child, entity in document.entities.items():
        for said in entity.get("references", ()):
            name = str(said["relationship"])
            standings = [
                registries.standing(catalogue.owners.get(parent), name, parent, service)
                for parent in dict.fromkeys(parents[name])
            ]
            state = min((one["state"] for one in standings), key=_severity)
            field = name.partition(".")[2]
            row = {"child": child, "field": field, "service": service, **said}
            validated = all(one.get("isValidated") is True for one in standings)
            rows.append({**row, "state": state, "validated": validated, "registrations": standings})
    return rows


def _severity(state: str) -> int:
    return SEVERITY.index(state) if state in SEVERITY else 0
