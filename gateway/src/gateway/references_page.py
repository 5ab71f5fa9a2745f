"""`GET /v1/references`: the catalogue as an admin sees it, and how the merged document describes it."""

from typing import Any, Final

from gateway.catalogue import Catalogue

PATH: Final = "/v1/references"
ROLE: Final = "admin"

OPERATION: Final[dict[str, Any]] = {
    "operationId": "listReferences",
    "summary": "The catalogue of references",
    "description": "Entities with their services and the references between them, as the services declare them.",
    "tags": ["references"],
    "responses": {
        "200": {
            "description": "The catalogue in force.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["entities", "references"],
                        "properties": {
                            "entities": {"type": "array", "items": {"type": "object"}},
                            "references": {"type": "array", "items": {"type": "object"}},
                        },
                    }
                }
            },
        }
    },
}


def catalogue_body(catalogue: Catalogue) -> dict[str, list[dict[str, Any]]]:
    """Sorted by name. A polymorphic reference has one row, with `by` and `parents` instead of `parent`."""
    entities: list[dict[str, Any]] = []
    references: list[dict[str, Any]] = []
    for service, document in catalogue.documents.items():
        for name, said in document.entities.items():
            described = {key: value for key, value in said.items() if key != "references"}
            entities.append({"entity": name, "service": service, **described})
            for reference in said["references"]:
                field = reference["relationship"].partition(".")[2]
                references.append({"child": name, "field": field, "service": service, **reference})
    return {
        "entities": sorted(entities, key=lambda one: str(one["entity"])),
        "references": sorted(references, key=lambda one: str(one["relationship"])),
    }
