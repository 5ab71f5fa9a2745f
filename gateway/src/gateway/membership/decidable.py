"""Whether every delete stays decidable at its root when a relationship is removed or comes back: the catalogue's rule
of domination once more, without what is removed."""

from collections.abc import Collection, Sequence

from kit.references.domination import Domination, Edge, Entities, dominations, edges

Pairs = Collection[tuple[str, str]]
"""(relationship, parent) each."""


def undecidable(entities: Entities, before: Pairs, after: Pairs) -> list[Domination]:
    """What would be undominated with the relationships `after` removed, and is not with those `before`. Each names the
    reference that may then block half-way."""
    known = edges(entities)
    was = [(one.blocking, one.cascade) for one in _undominated(known, before)]
    return [one for one in _undominated(known, after) if (one.blocking, one.cascade) not in was]


def partners(entities: Entities, relationship: str) -> set[str]:
    """The parents of whatever decides for the relationship, or is decided by it: their owners have to say what is
    removed."""
    found: set[str] = set()
    for one in dominations(edges(entities)):
        involved = [one.blocking, one.at, *([one.dominating] if one.dominating is not None else [])]
        if any(edge.relationship == relationship for edge in involved):
            found.update(edge.parent for edge in involved)
    return found


def _undominated(known: Sequence[Edge], removed: Pairs) -> list[Domination]:
    left = [edge for edge in known if (edge.relationship, edge.parent) not in removed]
    return [one for one in dominations(left) if one.dominating is None]
