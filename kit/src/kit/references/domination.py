"""What keeps every delete decidable at its root: rules over the references of all entities, as services publish them.

`entities` is what stands under `x-entities`, by name. Entities that are referred to but not known are taken to refer to
nothing; the rules are checked again when they become known. A part of the entities never breaks a rule that the whole
keeps, since an entity comes with all of its references.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CASCADE = "CASCADE"
RESTRICT = "RESTRICT"
SET_NULL = "SET_NULL"
Entities = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Edge:
    """One reference to one parent. `value` is the discriminator's for this parent, None without one. `via` names the
    reference of the same child that implies this one, by the values of its discriminator (None: by all of them)."""

    child: str
    field: str
    parent: str
    on_delete: str
    match: Mapping[str, str] = dataclasses.field(default_factory=dict)
    restrict_if: bool = False
    nullable: bool = False
    by: str | None = None
    value: str | None = None
    via: Mapping[str | None, str] = dataclasses.field(default_factory=dict)

    @property
    def relationship(self) -> str:
        return f"{self.child}.{self.field}"

    @property
    def blocks(self) -> bool:
        """Whether a child may keep its parent from being deleted."""
        return self.on_delete == RESTRICT or self.restrict_if

    def __str__(self) -> str:
        return f"{self.relationship} -> {self.parent} ({'restrict_if' if self.restrict_if else self.on_delete})"


@dataclass(frozen=True, slots=True)
class Domination:
    """`blocking` may keep a document from being removed that `cascade` removes with its own parent: so that parent's
    delete must be decided by `dominating`, another reference of the same child to it. None: there is none, for
    `reason`. `at` is the child's reference to whom `cascade` removes: `blocking` itself, or a dominating one of it."""

    blocking: Edge
    at: Edge
    cascade: Edge
    dominating: Edge | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Violation:
    relationship: str
    message: str

    def __str__(self) -> str:
        return f"{self.relationship}: {self.message}"


def edges(entities: Entities) -> list[Edge]:
    return [
        edge
        for child, entity in entities.items()
        for said in entity.get("references", ())
        for edge in _edges(child, said)
    ]


def violations(entities: Entities) -> Iterator[Violation]:
    """What is wrong, each with what to change. Nothing is said about domination while there is a circle."""
    known = edges(entities)
    yield from _natural_keys(entities, known)
    circles = list(_circles(known))
    yield from circles
    if not circles:
        for one in dominations(known):
            if one.dominating is None:
                yield Violation(one.blocking.relationship, _undominated(one))


def unreferable(entities: Entities) -> Iterator[Violation]:
    """References to an entity that lets nobody refer to it. Its owner refuses them, so that it is removed as a leaf."""
    for edge in edges(entities):
        if entities.get(edge.parent, {}).get("referableBy") == []:
            yield Violation(edge.relationship, f"{edge.parent} may be referred to by nobody: its rules say so")


def dominations(known: Sequence[Edge]) -> list[Domination]:
    """For each reference that may block, whatever leads to its parent by CASCADE, step by step up to the root."""
    by_child: dict[str, list[Edge]] = {}
    for edge in known:
        by_child.setdefault(edge.child, []).append(edge)
    return [one for edge in known if edge.blocks for one in _dominations(edge, by_child)]


def _dominations(blocking: Edge, by_child: Mapping[str, Sequence[Edge]]) -> Iterator[Domination]:
    if _is_implied(blocking, by_child[blocking.child]):
        return
    waiting, seen = [blocking], {(blocking.field, blocking.value)}
    while waiting:
        at = waiting.pop()
        for cascade in by_child.get(at.parent, ()):
            if cascade.on_delete != CASCADE:
                continue
            dominating, reason = _dominating(at, cascade, by_child[blocking.child])
            yield Domination(blocking, at, cascade, dominating, reason)
            if dominating is not None and (dominating.field, dominating.value) not in seen:
                seen.add((dominating.field, dominating.value))
                waiting.append(dominating)


def _is_implied(edge: Edge, siblings: Sequence[Edge]) -> bool:
    """Whether another reference implies this one in every document: then that one's rules are enough."""
    for through in siblings:
        implies = None in edge.via and edge.via[None] == through.field
        by_value = [one.value for one in siblings if one.field == through.field]
        covers = all(value is not None and edge.via.get(value) == through.field for value in by_value)
        if (implies or covers) and not through.nullable:
            return True
    return False


def _dominating(at: Edge, cascade: Edge, siblings: Sequence[Edge]) -> tuple[Edge | None, str]:
    """The child's reference to the parent of `cascade`, to the same document: `at` matches it."""
    fields = [mine for mine, theirs in at.match.items() if theirs == cascade.field]
    if not fields:
        return None, f"{at.relationship} does not match {cascade.relationship}"
    reason = f"{at.child}.{fields[0]} is no reference to {cascade.parent}"
    for one in siblings:
        if one.field not in fields or one.parent != cascade.parent:
            continue
        if one.on_delete == SET_NULL:
            reason = f"{one.relationship} is SET_NULL"
        elif at.field in (one.via.get(at.value), one.via.get(None)):
            reason = f"{one.relationship} is via {at.field}, though {cascade.relationship} is CASCADE"
        elif one.by is not None and not _same_discriminator(at, one, cascade):
            reason = f"{one.relationship} may name another parent than {cascade.parent}: {one.by} is not matched too"
        else:
            return one, ""
    return None, reason


def _same_discriminator(at: Edge, one: Edge, cascade: Edge) -> bool:
    return cascade.by is not None and at.match.get(one.by or "") == cascade.by and one.value == cascade.value


def _undominated(one: Domination) -> str:
    blocking, at, cascade = one.blocking, one.at, one.cascade
    mine = next((mine for mine, theirs in at.match.items() if theirs == cascade.field), cascade.field)
    steps = f"{cascade.relationship} is CASCADE"
    if at is not blocking:
        steps += f", and {at.parent} is where {at.relationship} leads"
    return (
        f"{'restrict_if' if blocking.restrict_if else 'RESTRICT'} to {blocking.parent} could block a delete of "
        f"{cascade.parent} half-way ({steps}), since {one.reason}. Add to {blocking.child}: "
        f'{mine}: Annotated[Id, Reference("{cascade.parent}", on_delete=RESTRICT)], '
        f'and to {at.relationship}: match={{"{mine}": "{cascade.field}"}}, which {at.parent} exposes'
    )


def _natural_keys(entities: Entities, known: Sequence[Edge]) -> Iterator[Violation]:
    """Documents with a natural key are retired, never removed: their ids must not come back."""
    natural = {name for name, entity in entities.items() if entity.get("composite")}
    for edge in known:
        if edge.parent in natural and edge.on_delete != RESTRICT:
            yield Violation(
                edge.relationship,
                f"{edge.on_delete} to {edge.parent}, whose documents are never deleted since they have a natural key: "
                "use RESTRICT",
            )
        if edge.child in natural and edge.on_delete == CASCADE:
            yield Violation(
                edge.relationship,
                f"CASCADE would remove {edge.child}, whose documents are never deleted since they have a natural key: "
                "use RESTRICT, or SET_NULL",
            )


def _circles(known: Sequence[Edge]) -> Iterator[Violation]:
    """A circle without SET_NULL, into which a CASCADE leads: its documents would wait for each other's removal. The
    smallest is one entity. One is named per CASCADE."""
    firm = [edge for edge in known if edge.on_delete != SET_NULL]
    for cascade in firm:
        if cascade.on_delete == CASCADE:
            circle = _circle(cascade.child, firm)
            if circle:
                named = ", ".join(str(edge) for edge in circle)
                yield Violation(
                    cascade.relationship,
                    f"CASCADE leads into a circle of references without SET_NULL: {named}. Make one of these SET_NULL "
                    f"on a nullable field, or {cascade.relationship} RESTRICT",
                )


def _circle(start: str, firm: Sequence[Edge]) -> list[Edge]:
    """A shortest way from an entity along its references back to itself; empty if there is none."""
    ways: dict[str, list[Edge]] = {start: []}
    waiting = [start]
    for entity in waiting:  # grows while it is read, by each entity once
        for edge in firm:
            if edge.child != entity:
                continue
            way = [*ways[entity], edge]
            if edge.parent == start:
                return way
            if edge.parent not in ways:
                ways[edge.parent] = way
                waiting.append(edge.parent)
    return []


def _edges(child: str, said: Mapping[str, Any]) -> Iterator[Edge]:
    parents = said.get("parents") or {None: said}
    given = said.get("via")
    via = {None: given} if isinstance(given, str) else given if isinstance(given, Mapping) else {}
    for value, parent in parents.items():
        named = parent if isinstance(parent, Mapping) else {"parent": parent}
        yield Edge(
            child,
            str(said["relationship"]).partition(".")[2],
            named["parent"],
            said["onDelete"],
            match=named.get("match") or {},
            restrict_if="restrictIf" in said,
            nullable=bool(said.get("nullable")),
            by=said.get("by"),
            value=value,
            via=via,
        )
