"""docs/references.md: entities and references, from the services' OpenAPI documents alone, as the gateway does."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.docs.decisions import decisions
from deploy.docs.map import mermaid_map, text_map
from deploy.openapi import openapi_documents, owners

HEAD = """# Entities and references

Made by `make docs` from the services' OpenAPI documents; don't edit it.

A reference is a field of a child that holds a parent's id. It is validated by the gateway on every write, and guarded
by the child's own store (`docs/protocol.md`). On a delete of the parent, CASCADE removes the child too, RESTRICT
refuses the delete while there is one, SET NULL empties the field. A running gateway shows the same, with what the
owners say of each, at `GET /v1/references`; how a relationship is removed and restored is in `docs/protocol.md`.
"""


def references_document() -> str:
    return render_references(openapi_documents())


def render_references(documents: Mapping[str, dict[str, Any]]) -> str:
    return "\n".join(
        [
            HEAD,
            "## Map",
            "",
            *text_map(documents),
            "",
            "Below each entity what refers to it. `…`: drawn above.",
            "",
            *mermaid_map(documents),
            "",
            "## References",
            "",
            *_references(documents),
            "",
            "## Where a delete is decided",
            "",
            *decisions(documents),
            "",
            "## Entities",
            "",
            *_entities(documents),
            "",
        ]
    )


def _references(documents: Mapping[str, dict[str, Any]]) -> list[str]:
    """One row for each parent of a reference."""
    services = owners(documents)
    lines = [
        "| child field | parent | owner ← child service | on delete | restricted while | match | copy | via | more |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for service, document in documents.items():
        for entity in document["x-entities"].values():
            for reference in entity.get("references", []):
                lines += _reference_rows(reference, service, services)
    return lines


def _reference_rows(reference: dict[str, Any], service: str, of: Mapping[str, str]) -> Iterator[str]:
    for value, parent in reference.get("parents", {None: reference}).items():
        owner = of.get(parent["parent"], "?")
        cells = [
            f"`{reference['relationship']}`" + (f" if `{reference['by']}` is `{value}`" if value is not None else ""),
            f"`{parent['parent']}`",
            service if owner == service else f"{owner} ← {service}",
            reference["onDelete"].replace("_", " "),
            f"`{json.dumps(reference['restrictIf'])}`" if "restrictIf" in reference else "",
            _plain(parent.get("match", {})),
            _plain(parent.get("copy", {})),
            _plain(reference["via"]) if "via" in reference else "",
            _more(reference),
        ]
        yield f"| {' | '.join(cells)} |"


def _more(reference: dict[str, Any]) -> str:
    said = [f"key {_plain(reference['key'])}"] if "key" in reference else []
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
        "| entity | service | key | natural key | parts | shown to other services | who may refer to it |",
        "|---|---|---|---|---|---|---|",
    ]
    for service, document in documents.items():
        for name, entity in document["x-entities"].items():
            parts = ", ".join(f"`{part['collection']}` (`{part['field']}`)" for part in entity.get("parts", []))
            exposed = ", ".join(f"`{field}`" for field in entity.get("exposes", []))
            natural = ", ".join(f"`{field}`" for field in entity.get("composite", []))
            cells = [f"`{name}`", service, f"`{entity['key']}`", natural, parts, exposed, _who(entity)]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _who(entity: dict[str, Any]) -> str:
    rules = entity.get("referableBy", ["anyone"])
    return "; ".join(rule if isinstance(rule, str) else _plain(rule) for rule in rules) or "nobody"
