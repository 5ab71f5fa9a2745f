"""What an entity allows others: who may refer to it, which of its fields they may see, and its natural key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit.identity import Caller


@dataclass(frozen=True, slots=True)
class Anyone:
    def allows(self, caller: Caller, row: Mapping[str, Any]) -> bool:  # noqa: ARG002
        return True

    def published(self) -> str:
        return "anyone"


@dataclass(frozen=True, slots=True)
class Self:
    """The caller is the document (a user)."""

    def allows(self, caller: Caller, row: Mapping[str, Any]) -> bool:
        return caller.id is not None and row["_id"] == caller.id

    def published(self) -> str:
        return "self"


@dataclass(frozen=True, slots=True)
class OwnerField:
    """The caller's id is in this stored field."""

    field: str

    def allows(self, caller: Caller, row: Mapping[str, Any]) -> bool:
        return caller.id is not None and row.get(self.field) == caller.id

    def published(self) -> str:
        return f"owner:{self.field}"


class Roles:
    """The caller has one of the roles."""

    __slots__ = ("names",)

    def __init__(self, *names: str) -> None:
        self.names = names

    def allows(self, caller: Caller, row: Mapping[str, Any]) -> bool:  # noqa: ARG002
        return any(caller.has(name) for name in self.names)

    def published(self) -> str:
        return f"roles:{','.join(self.names)}"


ReferableBy = Anyone | Self | OwnerField | Roles


@dataclass(frozen=True, slots=True)
class EntityRules:
    """`key` is the id's name on the wire ("botId"). `exposes` are immutable fields, not personal, that `match` and
    `copy` may name; `conditions` are fields that `require` may name; `composite` is a natural key's fields, which are
    exposed too. All are stored names. `visible_to` may read the document, if others than those who may refer to it: a
    delete that it blocks names it to them.
    """

    key: str
    referable_by: tuple[ReferableBy, ...] = (Anyone(),)
    exposes: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    composite: tuple[str, ...] | None = None
    visible_to: tuple[ReferableBy, ...] | None = None

    def readable(self) -> frozenset[str]:
        """The fields that `match` and `copy` may name."""
        return frozenset({"_id", *self.exposes, *(self.composite or ())})

    def allow(self, caller: Caller, row: Mapping[str, Any]) -> bool:
        """Whether the caller may refer to it."""
        return any(rule.allows(caller, row) for rule in self.referable_by)

    @property
    def readers(self) -> tuple[ReferableBy, ...]:
        return self.referable_by if self.visible_to is None else self.visible_to

    def show(self, caller: Caller, row: Mapping[str, Any]) -> bool:
        """Whether the caller may know of it."""
        return any(rule.allows(caller, row) for rule in self.readers)


@dataclass(frozen=True, slots=True)
class PartOf:
    """The aggregate that a part belongs to, in the same database, and the stored field that holds its id."""

    entity: str
    field: str
