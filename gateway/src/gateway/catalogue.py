"""What the gateway knows of its services, compiled from their documents alone: routes, owners, relationships."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from gateway.documents import Relationship, ServiceDocument
from gateway.reference_spec import DocumentRefusedError
from gateway.routing import Router
from kit.references.domination import violations

VIOLATIONS_MAX: Final = 5
"""Named in one refusal."""


class Catalogue:
    """Immutable, and in the order of `services`, whichever document came first: gateways that know the same say the
    same. `missing` are the services that have no good document: what nobody here knows may be theirs."""

    def __init__(self, documents: Mapping[str, ServiceDocument], services: Iterable[str]) -> None:
        """Raises DocumentRefusedError if the documents do not agree: it says nothing of whose fault that is, which is
        for whoever offers them."""
        known = tuple(services)
        names = dict.fromkeys((*known, *documents))
        self.documents = {name: documents[name] for name in names if name in documents}
        self.missing = tuple(name for name in known if name not in self.documents)
        self.owners = _owners(self.documents)
        self.entities = {name: said for one in self.documents.values() for name, said in one.entities.items()}
        self.router = Router(operation for one in self.documents.values() for operation in one.operations)
        self._check_keys()
        self._check_deletes()

    def registrations(self, owner: str) -> dict[str, list[Relationship]]:
        """The relationships of other services to the owner's entities, by child service; its own it knows itself."""
        found: dict[str, list[Relationship]] = {}
        for name, document in self.documents.items():
            if name == owner:
                continue
            mine = [one for one in document.relationships if self.owners.get(one.parent) == owner]
            if mine:
                found[name] = mine
        return found

    def unknown_parents(self) -> dict[str, tuple[str, str]]:
        """By service, the first (place, entity) of its document that refers to an entity nobody has. While a document
        is missing, the entity may be in that."""
        if self.missing:
            return {}
        return {
            name: first
            for name, document in self.documents.items()
            if (first := next((one for one in document.parents() if one[1] not in self.owners), None)) is not None
        }

    def _check_keys(self) -> None:
        """A reference's key must be the parent's natural key, and only such an entity may be referred to by one."""
        for document in self.documents.values():
            for one in document.relationships:
                owner = self.owners.get(one.parent)
                if owner is None:
                    continue
                composite = self.documents[owner].entities[one.parent].get("composite")
                key = one.published.get("key")
                if key is not None and composite is not None and set(key.values()) != set(composite):
                    raise DocumentRefusedError(
                        f"{one.name}: its key is not that of {one.parent}, {', '.join(composite)}"
                    )

    def _check_deletes(self) -> None:
        """The rules by which a delete can be decided at its root, on what is known by now."""
        wrong = [str(one) for one in islice(violations(self.entities), VIOLATIONS_MAX)]
        if wrong:
            raise DocumentRefusedError("; ".join(wrong))


def _owners(documents: Mapping[str, ServiceDocument]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for name, document in documents.items():
        for entity in document.entities:
            other = owners.setdefault(entity, name)
            if other != name:
                raise DocumentRefusedError(f"x-entities/{entity}: an entity of {other} already")
    return owners
