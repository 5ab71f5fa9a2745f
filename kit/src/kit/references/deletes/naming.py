"""The relationships that this service's documents declare, and how to find the children that name a parent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.documents import Entity, Stored
from kit.problems import Problem
from kit.references.declaration import RESTRICT, Reference, intent_key
from kit.references.rules import EntityRules
from kit.store.hidden import INTENT_KIND, NOT_AN_INTENT
from kit.store.rows import Filter


class RelationshipUnknown(Problem):
    """This version of the service does not declare it, so it can't say what refers to the parent."""

    status = 409
    code = "relationship-unknown"
    title = "The relationship is not declared here"


@dataclass(frozen=True, slots=True)
class Naming:
    """One relationship to one parent entity, as declared here."""

    child: str
    rules: EntityRules
    reference: Reference
    parent: str

    @property
    def relationship(self) -> str:
        return self.reference.relationship

    @property
    def field(self) -> str:
        return self.reference.field or ""

    def key(self, parent_id: str) -> str:
        """How an intent names it, and the id of its closure."""
        return intent_key(self.relationship, self.parent, parent_id)

    def children(self, parent_ids: Sequence[str]) -> dict[str, Any]:
        """Documents that name one of the parents. One never counts as its own child."""
        where: dict[str, Any] = {INTENT_KIND: NOT_AN_INTENT, **self.names(parent_ids)}
        if self.child == self.parent:
            where["_id"] = {"$nin": list(parent_ids)}
        return where

    def names(self, parent_ids: Sequence[str]) -> dict[str, Any]:
        ids = list(parent_ids)
        where: dict[str, Any] = {self.field: ids[0] if len(ids) == 1 else {"$in": ids}}
        if self.reference.by is not None:
            values = [target.value for target in self.reference.targets() if target.entity == self.parent]
            where[self.reference.by] = values[0] if len(values) == 1 else {"$in": values}
        return where

    def blocking(self, parent_id: str) -> Filter | None:
        """Those that block a delete of the parent; None if none ever does."""
        where = self.children([parent_id])
        if self.reference.on_delete is RESTRICT:
            return where
        if self.reference.restrict_if is None:
            return None
        return {"$and": [where, dict(self.reference.restrict_if)]}


class Namings:
    def __init__(self, documents: Sequence[type[Stored]]) -> None:
        self._known: dict[tuple[str, str], Naming] = {}
        for one in documents:
            if issubclass(one, Entity):
                self._add(one)

    def _add(self, entity: type[Entity]) -> None:
        for reference in entity.references.values():
            for target in reference.targets():
                naming = Naming(entity.collection_name(), entity.rules, reference, target.entity)
                self._known[reference.relationship, target.entity] = naming

    def find(self, relationship: str, parent: str) -> Naming:
        """Raises RelationshipUnknown."""
        naming = self._known.get((relationship, parent))
        if naming is None:
            raise RelationshipUnknown(
                f"This version does not declare {relationship} to {parent}: deploy one that does, or remove the "
                "relationship."
            )
        return naming


def by_child(namings: Mapping[str, Naming]) -> dict[str, list[str]]:
    """Keys of closures by the collection of their children."""
    found: dict[str, list[str]] = {}
    for key, naming in namings.items():
        found.setdefault(naming.child, []).append(key)
    return found
