"""Conditions on parents that a request doesn't name by itself: the gateway asks the child's service which are meant."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kit.identity import Caller
from kit.problems import VersionMismatch

if TYPE_CHECKING:
    from kit.context import RequestContext
    from kit.runtime import Runtime


@dataclass(frozen=True, slots=True)
class PlannedParent:
    """`match`, `copy` and `require` use the parent's field names; `pointer` is the field of the request that a refusal
    is about, "" if it has none."""

    relationship: str
    parent: str
    id: str
    match: Mapping[str, Any] = field(default_factory=dict)
    copy: tuple[str, ...] = ()
    require: Mapping[str, Any] = field(default_factory=dict)
    pointer: str = ""

    def body(self) -> dict[str, Any]:
        return {
            "relationship": self.relationship,
            "parent": self.parent,
            "id": self.id,
            "match": dict(self.match),
            "copy": list(self.copy),
            "require": dict(self.require),
            "pointer": self.pointer,
        }


@dataclass(frozen=True, slots=True)
class ParentsPlan:
    """`version` is that of the document which the plan was read from, None if there is no document yet."""

    items: tuple[PlannedParent, ...]
    version: int | None = None

    def body(self) -> dict[str, Any]:
        return {"version": self.version, "items": [item.body() for item in self.items]}


Planner = Callable[["Runtime", Caller, Mapping[str, str], Any], Awaitable[ParentsPlan]]
"""(runtime, caller, path parameters, body) -> plan. Raises the operation's own refusals."""

PLANNED_DOCUMENT = "document"


def check_planned_version(context: "RequestContext", version: int) -> None:
    """Raises VersionMismatch if the conditions were checked for another version of the document than is changed now."""
    if context.versions is not None and context.versions.get(PLANNED_DOCUMENT, version) != version:
        raise VersionMismatch("The document was changed while its references were validated; send the request again.")
