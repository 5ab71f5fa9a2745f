"""Decides which documents are used. A bad one is refused with a reason, and the last good one of its service stays."""

from collections.abc import Sequence

from gateway.catalogue import Catalogue
from gateway.documents import ServiceDocument
from gateway.reference_spec import DocumentRefusedError


class Assembly:
    """`catalogue` is what holds now. `refused` has, by service, the digest of the document that was refused last and
    why.

    Where documents contradict each other (one path or entity of two services, a RESTRICT that another's CASCADE would
    run into, a circle), the newest one offered is refused, whichever of them should change: what is in force keeps
    being served. While a document is missing, rules are checked on what is known, and again with each one offered."""

    def __init__(self, services: Sequence[str]) -> None:
        self.services = tuple(services)
        self.catalogue = Catalogue({}, self.services)
        self.refused: dict[str, tuple[str, str]] = {}
        self._waiting: dict[str, ServiceDocument] = {}

    def offer(self, document: ServiceDocument) -> bool:
        """Whether the catalogue is another one now. What was refused before is tried again if it is."""
        name = document.service
        accepted = self.catalogue.documents.get(name)
        if accepted is not None and accepted.digest == document.digest:
            self.refused.pop(name, None)
            self._waiting.pop(name, None)
            return False
        if not self._try(document):
            return False
        for other in list(self._waiting.values()):
            self._try(other)
        return True

    def refuse(self, service: str, digest: str, reason: str) -> None:
        self.refused[service] = (digest, reason)

    def _try(self, document: ServiceDocument) -> bool:
        name = document.service
        try:
            catalogue = Catalogue({**self.catalogue.documents, name: document}, self.services)
            catalogue, dropped = self._without_unknown_parents(catalogue, name)
        except DocumentRefusedError as error:
            self.refuse(name, document.digest, str(error))
            self._waiting[name] = document
            return False
        self.catalogue = catalogue
        self.refused.pop(name, None)
        self._waiting.pop(name, None)
        for other, reason in dropped:
            self.refuse(other.service, other.digest, reason)
            self._waiting[other.service] = other
        return True

    def _without_unknown_parents(
        self, catalogue: Catalogue, new: str
    ) -> tuple[Catalogue, list[tuple[ServiceDocument, str]]]:
        """A document that refers to an unknown entity is bad, unless it was good until the new one took the entity
        away: then the new one is. Others were taken on trust, while somebody's document was missing."""
        dropped: list[tuple[ServiceDocument, str]] = []
        for name, (where, parent) in catalogue.unknown_parents().items():
            if name == new:
                raise DocumentRefusedError(f"{where} refers to {parent}, an entity that no service has")
            if parent in self.catalogue.owners:
                raise DocumentRefusedError(f"the entity {parent} is gone, but {name} refers to it: {where}")
            dropped.append((catalogue.documents[name], f"{where} refers to {parent}, an entity that no service has"))
        if dropped:
            gone = {document.service for document, _ in dropped}
            kept = {name: one for name, one in catalogue.documents.items() if name not in gone}
            catalogue = Catalogue(kept, self.services)
        return catalogue, dropped
