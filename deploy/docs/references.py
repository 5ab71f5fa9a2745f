"""docs/references.md: entities and references, from the services' OpenAPI documents alone, as the gateway does."""

import json
from collections.abc import Mapping
from typing import Any

from deploy.openapi import openapi_documents, owners

HEAD = """# Entities and references

Made by `make docs` from the services' OpenAPI documents; don't edit it.

A reference is a field of a child that holds a parent's id. It is validated by the gateway on every write, and guarded
by the child's own store (`docs/adr/0003-references-between-services.md`).
"""


def references_document() -> str:
    return render_references(openapi_documents())


def render_references(documents: Mapping[str, dict[str, Any]]) -> str:
    return "\n".join(
        [HEAD, "## References", "", *_references(documents), "", "## Entities", "", *_entities(documents), ""]
    )


def _references(documents: Mapping[str, dict[str, Any]]) -> list[str]:
    services = owners(documents)
    lines = ["| child field | parent | owner ← child service | on delete | more |", "|---|---|---|---|---|"]
    for service, document in documents.items():
        for entity in document["x-entities"].values():
            lines += [_reference_row(reference, service, services) for reference in entity.get("references", [])]
    return lines


def _reference_row(reference: dict[str, Any], service: str, of: Mapping[str, str]) -> str:
    if "parent" in reference:
        parents = [reference["parent"]]
        named = f"`{reference['parent']}`"
    else:
        parents = [parent["parent"] for parent in reference["parents"].values()]
        pairs = (f"`{value}`: `{parent['parent']}`" for value, parent in reference["parents"].items())
        named = f"by `{reference['by']}`: {', '.join(pairs)}"
    services = ", ".join(dict.fromkeys(of.get(parent, "?") for parent in parents))
    where = service if services == service else f"{services} ← {service}"
    return f"| `{reference['relationship']}` | {named} | {where} | {reference['onDelete']} | {_options(reference)} |"


def _options(reference: dict[str, Any]) -> str:
    said = [f"{name} {_plain(reference[name])}" for name in ("match", "copy", "key", "via") if name in reference]
    for value, parent in reference.get("parents", {}).items():
        said += [f"{name} of {value} {_plain(parent[name])}" for name in ("match", "copy") if name in parent]
    if "restrictIf" in reference:
        said.append(f"restricted while `{json.dumps(reference['restrictIf'])}`")
    if reference.get("default") == "caller":
        said.append("the caller's own if left out")
    if reference.get("nullable"):
        said.append("may be null")
    return "; ".join(said)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(
            f"`{child}` = `{parent}`" if child != parent else f"`{child}`" for child, parent in value.items()
        )
    return f"`{value}`"


def _entities(documents: Mapping[str, dict[str, Any]]) -> list[str]:
    lines = [
        "| entity | service | key | parts | shown to other services | who may refer to it |",
        "|---|---|---|---|---|---|",
    ]
    for service, document in documents.items():
        for name, entity in document["x-entities"].items():
            parts = ", ".join(f"`{part['collection']}`" for part in entity.get("parts", []))
            exposed = ", ".join(f"`{field}`" for field in entity.get("exposes", []))
            lines.append(f"| `{name}` | {service} | `{entity['key']}` | {parts} | {exposed} | {_who(entity)} |")
    return lines


def _who(entity: dict[str, Any]) -> str:
    return "; ".join(rule if isinstance(rule, str) else _plain(rule) for rule in entity.get("referableBy", []))
