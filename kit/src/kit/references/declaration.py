"""A reference is declared once, where the child is, and used by the stored document and the request schemas alike:

    UserRef = Annotated[Id, Reference("users", on_delete=CASCADE)]

Field names are stored (camelCase) names. `match`, `copy` and `key` map a child field to a parent field.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

import orjson
from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

RELATIONSHIP_CHARACTERS_MAX = 120
SEPARATOR = "|"
OWN_ID = "_id"


class DeclarationError(TypeError):
    """A declaration that can't hold; the message names the class, the field and what to write instead."""


class OnDelete(StrEnum):
    CASCADE = "CASCADE"
    RESTRICT = "RESTRICT"
    SET_NULL = "SET_NULL"


CASCADE = OnDelete.CASCADE
RESTRICT = OnDelete.RESTRICT
SET_NULL = OnDelete.SET_NULL


@dataclass(frozen=True, slots=True)
class Parent:
    """One of the parents of a polymorphic reference, with the fields it is matched by and hands down."""

    entity: str
    match: Mapping[str, str] = field(default_factory=dict)
    copy: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """One parent that a reference can name. `value` is the discriminator's, None where there is none."""

    entity: str
    match: Mapping[str, str]
    copy: Mapping[str, str]
    key: Mapping[str, str]
    value: str | None = None


class Reference:
    """Metadata of an annotated field that holds a parent's id (or, with `key`, one field of a composite natural key).

    `on_delete` says what a delete of the parent does to the child; `restrict_if` is a filter on children that block it
    although the rule is CASCADE. `by` names the discriminator of a polymorphic reference, `parents` maps its values.
    `via` names another reference of the document that implies this one (for one discriminator value only, if it is a
    mapping), so that no closure of its own is needed. `default="caller"`: the gateway fills in the caller's id.
    Raises DeclarationError for options that exclude each other.
    """

    def __init__(
        self,
        parent: str | None = None,
        *,
        on_delete: OnDelete,
        match: Mapping[str, str] | None = None,
        copy: Mapping[str, str] | None = None,
        key: Mapping[str, str] | None = None,
        by: str | None = None,
        parents: Mapping[str, Parent] | None = None,
        via: str | Mapping[str, str] | None = None,
        restrict_if: Mapping[str, Any] | None = None,
        default: Literal["caller"] | None = None,
    ) -> None:
        self.parent = parent
        self.on_delete = OnDelete(on_delete)
        self.match = MappingProxyType(dict(match or {}))
        self.copy = MappingProxyType(dict(copy or {}))
        self.key = MappingProxyType(dict(key or {}))
        self.by = by
        self.parents = MappingProxyType(dict(parents or {}))
        self.via = via
        self.restrict_if = None if restrict_if is None else MappingProxyType(dict(restrict_if))
        self.default = default
        self.child: str | None = None
        self.field: str | None = None
        self.nullable = False
        self._check()

    def _check(self) -> None:
        if (self.parent is None) == (not self.parents):
            raise DeclarationError(
                'a Reference names either one parent, Reference("users", ...), '
                'or a discriminator, Reference(by="sourceType", parents={...}, ...)'
            )
        if bool(self.parents) != (self.by is not None):
            raise DeclarationError("a polymorphic Reference needs both `by` and `parents`")
        if self.parents and (self.match or self.copy or self.key):
            raise DeclarationError(
                "`match` and `copy` of a polymorphic Reference belong to each of its Parents; it has no `key`"
            )
        if self.restrict_if is not None and self.on_delete is not CASCADE:
            raise DeclarationError("`restrict_if` narrows a CASCADE; with another rule it says nothing")
        if self.via is not None and self.on_delete is not RESTRICT:
            raise DeclarationError("a Reference with `via` needs on_delete=RESTRICT, as the one that implies it")
        if self.default not in (None, "caller"):
            raise DeclarationError('the only `default` of a Reference is "caller"')

    def __repr__(self) -> str:
        return f"Reference({self.relationship if self.is_bound else self.parent or dict(self.parents)})"

    @property
    def is_bound(self) -> bool:
        return self.child is not None

    @property
    def relationship(self) -> str:
        """`collection.field` of the stored field that the alias belongs to. Raises DeclarationError if it has none."""
        if self.child is None or self.field is None:
            named = self.parent or ", ".join(sorted(parent.entity for parent in self.parents.values()))
            raise DeclarationError(f"the reference to {named} belongs to no stored field: no Entity uses its alias")
        return f"{self.child}.{self.field}"

    def bind(self, child: str, stored_field: str, *, nullable: bool) -> None:
        """Give the reference its relationship. Raises DeclarationError if another stored field has the alias."""
        if self.is_bound and (self.child, self.field) != (child, stored_field):
            raise DeclarationError(
                f"{child}.{stored_field} uses the alias that belongs to {self.relationship}: "
                "declare an alias of its own, since a relationship is one stored field"
            )
        if self.on_delete is SET_NULL and not nullable:
            raise DeclarationError(
                f"{child}.{stored_field}: SET_NULL needs a nullable field, such as `UserRef | None = None`"
            )
        self.child, self.field, self.nullable = child, stored_field, nullable

    def targets(self) -> Iterator[Target]:
        if self.parent is not None:
            yield Target(self.parent, self.match, self.copy, self.key)
        for value, parent in self.parents.items():
            yield Target(parent.entity, parent.match, parent.copy, {}, value)

    def published(self) -> dict[str, Any]:
        """What `x-reference` says: everything that a gateway, an owner or an audit needs to know, and nothing empty."""
        said: dict[str, Any] = {"relationship": self.relationship, "onDelete": self.on_delete.value}
        if self.parent is not None:
            said["parent"] = self.parent
        else:
            said["by"] = self.by
            said["parents"] = {value: _published_parent(parent) for value, parent in self.parents.items()}
        for name, value in (("match", self.match), ("copy", self.copy), ("key", self.key)):
            if value:
                said[name] = dict(value)
        if self.via is not None:
            said["via"] = self.via if isinstance(self.via, str) else dict(self.via)
        if self.restrict_if is not None:
            said["restrictIf"] = dict(self.restrict_if)
        if self.default is not None:
            said["default"] = self.default
        if self.nullable:
            said["nullable"] = True
        return said

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        rendered = handler(schema)
        rendered["x-reference"] = self.published()
        return rendered


def _published_parent(parent: Parent) -> dict[str, Any]:
    said: dict[str, Any] = {"parent": parent.entity}
    if parent.match:
        said["match"] = dict(parent.match)
    if parent.copy:
        said["copy"] = dict(parent.copy)
    return said


def intent_key(relationship: str, parent: str, parent_id: str) -> str:
    """How an intent names what it refers to, and a closure what it closes."""
    return f"{relationship}{SEPARATOR}{parent}{SEPARATOR}{parent_id}"


def whole_key(relationship: str) -> str:
    """The key of the closure of a whole relationship, which no epoch reopens."""
    return f"{relationship}{SEPARATOR}*"


def own_key(entity: str, document_id: str) -> str:
    """What the intent of a create names for itself, and what a delete closes for good: the id can't come back."""
    return intent_key(f"{entity}.{OWN_ID}", entity, document_id)


def is_own_key(key: str) -> bool:
    """No reference is declared at the key of its document, so no relationship is called so."""
    return key.partition(SEPARATOR)[0].endswith(f".{OWN_ID}")


def canonical_json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest_of(published: list[dict[str, Any]]) -> str:
    """SHA-256 over the canonical JSON (sorted keys, no blanks) of an operation's relationships, sorted by name."""
    unique = {one["relationship"]: one for one in published}
    return hashlib.sha256(canonical_json([unique[name] for name in sorted(unique)])).hexdigest()
