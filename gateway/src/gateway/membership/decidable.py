"""Whether what is left still holds when a relationship is removed or comes back: the catalogue's rule of domination
once more, without what is removed; and that what is implied by others (`via`) is implied by some that are there."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from kit.references.domination import Domination, Edge, Entities, dominations, edges

Pairs = Collection[tuple[str, str]]
"""(relationship, parent) each."""


@dataclass(frozen=True, slots=True)
class Rests:
    """A reference that does not hold without another, or one of some others, and what goes wrong then."""

    edge: Edge
    why: str
    on: tuple[Edge, ...] = ()


def unheld(entities: Entities, before: Pairs, after: Pairs) -> list[Rests]:
    """What would not hold with the relationships `after` removed, and does with those `before`."""
    known = edges(entities)
    was = [(one.edge, one.why) for one in _unheld(known, before)]
    return [one for one in _unheld(known, after) if (one.edge, one.why) not in was]


def partners(entities: Entities, relationship: str) -> set[str]:
    """The parents of whatever the relationship rests on, or rests on it: their owners have to say what is removed."""
    known = edges(entities)
    groups = [_involved(one) for one in dominations(known)] + [(one.edge, *one.on) for one in _implied(known)]
    return {edge.parent for group in groups if any(one.relationship == relationship for one in group) for edge in group}


def _unheld(known: Sequence[Edge], removed: Pairs) -> Iterator[Rests]:
    left = [edge for edge in known if (edge.relationship, edge.parent) not in removed]
    for one in dominations(left):
        if one.dominating is None:
            why = f"it could block a delete of {one.cascade.parent} half-way, since {one.reason}"
            yield Rests(one.blocking, why)
    for rests in _implied(known):
        if rests.edge in left and not all(one in left for one in rests.on):
            yield rests


def _involved(one: Domination) -> tuple[Edge, ...]:
    return (one.blocking, one.at, *([one.dominating] if one.dominating is not None else []))


def _implied(known: Sequence[Edge]) -> Iterator[Rests]:
    """Each reference with `via`, and that of the document in between which keeps the parent in its place."""
    for edge in known:
        for value, field in edge.via.items():
            for through in known:
                if (through.child, through.field) != (edge.child, field) or value not in (None, through.value):
                    continue
                theirs = through.match.get(edge.field)
                onward = tuple(one for one in known if (one.child, one.field) == (through.parent, theirs))
                yield Rests(edge, f"it is implied by {', '.join(one.relationship for one in onward)}", onward)
