"""The catalogue's rules against documents: in a catalogue that they accept, nothing below a deleted document blocks.

Random catalogues of four entities, and random documents that keep to their references and `match`. The root is decided
by counting what blocks it; whatever is then removed with it must be removable.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from kit.references.domination import Edge, dominations, edges, violations

ENTITIES = ("a", "b", "c", "d")
DOCUMENTS_PER_ENTITY = 4
WORLDS_PER_CATALOGUE = 12
CATALOGUES = 1_000


@dataclass
class Document:
    id: int
    entity: str
    values: dict[str, int | None]


def catalogue(chance: random.Random) -> dict[str, dict[str, object]]:
    """References are named by their parent and a number, so that a `match` finds fields of the same parent."""
    made: dict[str, dict[str, object]] = {one: {"key": f"{one}Id", "references": []} for one in ENTITIES}
    fields = {
        child: [
            f"{parent}{number}"
            for parent in ENTITIES
            for number in (1, 2)
            if chance.random() < (0.45 if parent < child else 0.02)
        ]
        for child in ENTITIES
    }
    for child in ENTITIES:
        references = []
        for field in fields[child]:
            rule = chance.choices(["RESTRICT", "CASCADE", "SET_NULL", "RESTRICT_IF"], [3, 4, 1, 1])[0]
            said: dict[str, object] = {"relationship": f"{child}.{field}", "parent": field[0], "onDelete": rule}
            if rule == "RESTRICT_IF":
                said.update(onDelete="CASCADE", restrictIf={})
            said["nullable"] = rule == "SET_NULL"
            theirs = [one for one in fields[field[0]] if chance.random() < 0.8]
            pairs = {mine: one for one in theirs for mine in fields[child] if mine[0] == one[0] and mine != field}
            said["match"] = pairs
            references.append(said)
        made[child]["references"] = references
    return made


def documents(known: list[Edge], chance: random.Random) -> dict[int, Document]:
    """Random values, of which those documents are kept whose references are good."""
    ids = count()
    by_entity: dict[str, list[Document]] = {
        entity: [Document(next(ids), entity, {}) for _ in range(DOCUMENTS_PER_ENTITY)] for entity in ENTITIES
    }
    world = {one.id: one for several in by_entity.values() for one in several}
    for document in world.values():
        for edge in known:
            if edge.child == document.entity:
                document.values[edge.field] = chance.choice(by_entity[edge.parent]).id
    for document in world.values():
        for edge in (one for one in known if one.child == document.entity):
            parent = world[document.values[edge.field] or 0]
            for mine, theirs in edge.match.items():
                document.values[mine] = parent.values.get(theirs, document.values[mine])
    while bad := [one.id for one in world.values() if not _is_good(one, world, known)]:
        for one in bad:
            del world[one]
    return world


def _is_good(document: Document, world: dict[int, Document], known: list[Edge]) -> bool:
    for edge in (one for one in known if one.child == document.entity):
        parent = world.get(document.values[edge.field] or 0)
        if parent is None or parent.entity != edge.parent:
            return False
        if any(document.values[mine] != parent.values.get(theirs) for mine, theirs in edge.match.items()):
            return False
    return True


def blocked_half_way(known: list[Edge], world: dict[int, Document]) -> Iterator[str]:
    for root in world.values():
        naming = _naming(known, world, root.id)
        if any(edge.blocks and child.id != root.id for edge, child in naming):
            continue  # refused, with nothing touched
        removed, waiting = {root.id}, [root.id]
        while waiting:
            for edge, child in _naming(known, world, waiting.pop()):
                if edge.on_delete == "CASCADE" and child.id not in removed:
                    removed.add(child.id)
                    waiting.append(child.id)
        for gone in removed - {root.id}:
            yield from _blocked(known, world, gone, removed)
        if _waits_for_itself(known, world, removed):
            yield f"what goes with {root} waits for itself"


def _blocked(known: list[Edge], world: dict[int, Document], gone: int, removed: set[int]) -> Iterator[str]:
    for edge, child in _naming(known, world, gone):
        if edge.on_delete == "RESTRICT" and child.id not in removed:
            yield f"{edge} blocks the removal of {world[gone]}"
        if edge.restrict_if and not _falls_anyhow(known, child, edge, removed):
            yield f"{child} goes with {world[gone]}, though restrict_if protects it"


def _naming(known: list[Edge], world: dict[int, Document], parent: int) -> list[tuple[Edge, Document]]:
    return [
        (edge, child)
        for child in world.values()
        for edge in known
        if edge.child == child.entity and child.values[edge.field] == parent
    ]


def _falls_anyhow(known: list[Edge], child: Document, protecting: Edge, removed: set[int]) -> bool:
    """By a plain CASCADE of its own: its declaration says so."""
    others = [one for one in known if one.child == child.entity and one is not protecting]
    return any(
        one.on_delete == "CASCADE" and not one.restrict_if and child.values[one.field] in removed for one in others
    )


def _waits_for_itself(known: list[Edge], world: dict[int, Document], removed: set[int]) -> bool:
    """Whether no order removes each child before its parents."""
    left = set(removed)
    while left:
        needed = {
            world[one].values[edge.field]
            for one in left
            for edge in known
            if edge.child == world[one].entity and edge.on_delete != "SET_NULL" and world[one].values[edge.field] != one
        }
        free = left - needed
        if not free:
            return True
        left -= free
    return False


@pytest.mark.parametrize("seed", range(3))
def test_what_is_accepted_never_blocks_half_way(seed: int) -> None:
    chance = random.Random(seed)
    dominated = 0
    for _ in range(CATALOGUES):
        made = catalogue(chance)
        if list(violations(made)):
            continue
        known = edges(made)
        dominated += bool(dominations(known))
        for _ in range(WORLDS_PER_CATALOGUE):
            assert list(blocked_half_way(known, documents(known, chance))) == []
    assert dominated >= 10


@pytest.mark.parametrize("rule", ["could block a delete", "leads into a circle"])
def test_each_rule_refuses_catalogues_that_would_block(rule: str) -> None:
    chance = random.Random(1)
    for _ in range(CATALOGUES):
        made = catalogue(chance)
        said = [str(one) for one in violations(made)]
        if said and all(rule in one for one in said):
            known = edges(made)
            if any(list(blocked_half_way(known, documents(known, chance))) for _ in range(WORLDS_PER_CATALOGUE)):
                return
    pytest.fail(f"no catalogue that is refused since it {rule} ever blocked")
