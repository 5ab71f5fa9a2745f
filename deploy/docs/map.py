"""The drawn map of references: as Mermaid, which many viewers of Markdown draw, and as plain text for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from kit.references.domination import CASCADE, RESTRICT, Edge, edges

_ARROWS: Mapping[str, str] = {CASCADE: "-->", RESTRICT: "==>"}
_SET_NULL_ARROW = "-.->"


def mermaid_map(documents: Mapping[str, dict[str, Any]]) -> list[str]:
    """A box per service, an arrow from each child to its parent: thin for CASCADE, thick for RESTRICT, dotted for SET
    NULL."""
    lines = ["```mermaid", "flowchart RL"]
    for service, document in documents.items():
        lines.append(f"  subgraph {service}")
        for name, entity in document["x-entities"].items():
            parts = "".join(f"<br/>· {part['collection']}" for part in entity.get("parts", []))
            lines.append(f'    {name}["{name}{parts}"]')
        lines.append("  end")
    for edge in _edges(documents):
        label = f"{edge.field}<br/>{_rule(edge)}"
        lines.append(f'  {edge.child} {_ARROWS.get(edge.on_delete, _SET_NULL_ARROW)}|"{label}"| {edge.parent}')
    return [*lines, "```"]


def text_map(documents: Mapping[str, dict[str, Any]]) -> list[str]:
    """Each entity with its children below it, in the order of the documents. Where a child has more than one parent,
    what is below it is drawn the first time."""
    services = {entity: service for service, document in documents.items() for entity in document["x-entities"]}
    known = _edges(documents)
    children: dict[str, list[Edge]] = {}
    for edge in known:
        children.setdefault(edge.parent, []).append(edge)
    drawn: set[str] = set()
    lines: list[tuple[str, str]] = []
    below = {edge.child for edge in known if edge.parent != edge.child}
    roots = [entity for entity in services if entity not in below]
    for root in [*roots, *(entity for entity in services if entity in children)]:
        if root not in drawn:
            lines.append((root, services.get(root, "?")))
            lines += _below(root, "", children, services, drawn)
    width = max((len(left) for left, _ in lines), default=0)
    return ["```text", *(f"{left:<{width}}  {right}".rstrip() for left, right in lines), "```"]


def _below(
    entity: str,
    indent: str,
    children: Mapping[str, Sequence[Edge]],
    services: Mapping[str, str],
    drawn: set[str],
) -> list[tuple[str, str]]:
    drawn.add(entity)
    lines: list[tuple[str, str]] = []
    mine = children.get(entity, [])
    for position, edge in enumerate(mine):
        is_last = position == len(mine) - 1
        again = edge.child in drawn and edge.child in children
        lines.append(
            (
                f"{indent}{'└─' if is_last else '├─'} {edge.relationship}{_if(edge)}{' …' if again else ''}",
                f"{_rule(edge)}, {_of(edge, services)}",
            )
        )
        if not again:
            lines += _below(edge.child, indent + ("   " if is_last else "│  "), children, services, drawn)
    return lines


def _edges(documents: Mapping[str, dict[str, Any]]) -> list[Edge]:
    return edges({name: entity for document in documents.values() for name, entity in document["x-entities"].items()})


def _rule(edge: Edge) -> str:
    said = edge.on_delete.replace("_", " ")
    if edge.restrict_if:
        said += " or RESTRICT"
    if edge.via:
        values = [value for value in edge.via if value is not None]
        said += f" (implied for {', '.join(values)})" if values else " (implied)"
    return said


def _if(edge: Edge) -> str:
    return f" [{edge.value}]" if edge.value is not None else ""


def _of(edge: Edge, services: Mapping[str, str]) -> str:
    owner, child = services.get(edge.parent, "?"), services.get(edge.child, "?")
    return owner if owner == child else f"{owner} ← {child}"
