"""Small OpenAPI documents as services publish them, for tests of the gateway."""

import copy
from collections.abc import Iterator
from typing import Any

from kit.references.declaration import digest_of

Json = dict[str, Any]
ID_SCHEMA = {
    "type": "string",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
}


def reference(relationship: str, parent: str, *, on_delete: str = "RESTRICT", **more: Any) -> Json:
    """An id's schema with its `x-reference`."""
    return {**ID_SCHEMA, "x-reference": {"relationship": relationship, "parent": parent, "onDelete": on_delete, **more}}


def entity(key: str, *references: Json, **more: Any) -> Json:
    return {"key": key, "references": [copy.deepcopy(one["x-reference"]) for one in references], "parts": [], **more}


def body_of(schema: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def model(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def document(service: str, entities: Json, paths: Json, schemas: Json | None = None, **more: Any) -> Json:
    """With the digests that `kit` would publish for the operations that have references."""
    made: Json = {
        "openapi": "3.1.0",
        "info": {"title": service, "version": "0.1.0"},
        "x-service": service,
        "x-entities": entities,
        "paths": copy.deepcopy(paths),
        "components": {"schemas": schemas or {}},
        **more,
    }
    for path, item in made["paths"].items():
        for method, operation in item.items():
            operation.setdefault("operationId", f"{method}{path.replace('/', '_')}")
            operation.setdefault("responses", {"200": {"description": "OK"}})
            named = list(_references_in([operation.get("requestBody"), operation.get("parameters")], made, set()))
            if named and method not in ("get", "head"):
                operation.setdefault("x-references-digest", digest_of(named))
    return made


def _references_in(value: Any, root: Json, seen: set[str]) -> Iterator[Json]:
    if isinstance(value, list):
        for one in value:
            yield from _references_in(one, root, seen)
    elif isinstance(value, dict):
        if "x-reference" in value:
            yield value["x-reference"]
        name = value.get("$ref")
        if isinstance(name, str) and name not in seen:
            seen.add(name)
            yield from _references_in(root["components"]["schemas"][name.rsplit("/", 1)[1]], root, seen)
        for key, one in value.items():
            if key != "x-reference":
                yield from _references_in(one, root, seen)
