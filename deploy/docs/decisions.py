"""Why a delete is decided at its root: for each reference that may block, what is asked where."""

from collections.abc import Mapping, Sequence
from typing import Any

from kit.references.domination import CASCADE, Domination, Edge, dominations, edges

HEAD = """A delete is decided by counting what blocks its root; nothing below the root may block any more. So a
reference with RESTRICT, or one that is restricted while something holds, to a parent that goes by CASCADE with a parent
of its own needs another reference of the same child to that one: it is counted there. The gateway refuses a document
without it, and one that closes a circle of references into which a CASCADE leads.
"""


def decisions(documents: Mapping[str, dict[str, Any]]) -> list[str]:
    known = edges({name: said for document in documents.values() for name, said in document["x-entities"].items()})
    found = dominations(known)
    lines = [HEAD, "| reference | parent | the parent also goes with | decided there by |", "|---|---|---|---|"]
    for edge in known:
        if edge.blocks:
            lines += _rows(edge, [one for one in found if one.blocking == edge], known)
    natural = [
        name
        for document in documents.values()
        for name, said in document["x-entities"].items()
        if said.get("composite")
    ]
    if natural:
        named = ", ".join(f"`{name}`" for name in natural)
        lines += [
            "",
            f"Documents with a natural key are retired, never deleted, since their ids must not return: {named}.",
        ]
    return lines


def _rows(edge: Edge, steps: Sequence[Domination], known: Sequence[Edge]) -> list[str]:
    head = f"| `{edge.relationship}` | `{edge.parent}` |"
    if steps:
        return [f"{head} `{one.cascade.parent}`, by `{one.cascade.relationship}` | {_by(one)} |" for one in steps]
    if edge.via and any(one.child == edge.parent and one.on_delete == CASCADE for one in known):
        return [f"{head} whatever implies it is counted for | {_via(edge)} |"]
    return [f"{head} nothing | itself{f', or {_via(edge)}' if edge.via else ''} |"]


def _by(one: Domination) -> str:
    by = one.dominating
    if by is None:
        return f"nothing: {one.reason}"
    rule = "CASCADE or RESTRICT" if by.restrict_if else by.on_delete
    fields = ", ".join(f"`{mine}`" for mine, theirs in one.at.match.items() if theirs == one.cascade.field)
    return f"`{by.relationship}` ({rule}): the same `{by.parent}`, since {fields} is matched"


def _via(edge: Edge) -> str:
    names = [
        f"`{edge.child}.{field}`" + (f" if it names `{value}`" if value is not None else "")
        for value, field in edge.via.items()
    ]
    return f"{', '.join(names)}, which implies it"
