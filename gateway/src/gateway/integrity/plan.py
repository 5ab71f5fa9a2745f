"""What an audit is to read: every relationship of the catalogue, with the service of its children and its parent's
owner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.catalogue import Catalogue
from kit.references.audits.audit_findings import Relationship, relationships


@dataclass(frozen=True, slots=True)
class Planned:
    """`owner` is None while no service is known that has the parent."""

    relationship: Relationship
    service: str
    owner: str | None

    def body(self) -> dict[str, Any]:
        return {
            "relationship": self.relationship.name,
            "parent": self.relationship.parent,
            "value": self.relationship.value,
            "kind": self.relationship.kind,
            "service": self.service,
            "owner": self.owner,
        }


def planned_of(catalogue: Catalogue) -> list[Planned]:
    """A part's owner is its own service."""
    return [
        Planned(one, service, catalogue.owners.get(one.parent))
        for service, document in catalogue.documents.items()
        for one in relationships(document.entities)
    ]


def find(planned: Sequence[Planned], said: Mapping[str, Any]) -> Planned | None:
    """What was planned once, as the catalogue has it now."""
    wanted = (said.get("relationship"), said.get("parent"), said.get("value"), said.get("service"))
    for one in planned:
        if (one.relationship.name, one.relationship.parent, one.relationship.value, one.service) == wanted:
            return one
    return None


def key_of(said: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Which report belongs to what was planned."""
    return said.get("relationship"), said.get("parent"), said.get("value")


def not_checked(said: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The report of a relationship that was not read: it says nothing is well."""
    return {
        "relationship": said["relationship"],
        "parent": said["parent"],
        "value": said.get("value"),
        "kind": said["kind"],
        "childrenRead": 0,
        "orphanCount": 0,
        "orphans": [],
        "intents": [],
        "closures": [],
        "closureCount": 0,
        "isComplete": False,
        "reason": reason,
        "checkedAt": None,
    }
