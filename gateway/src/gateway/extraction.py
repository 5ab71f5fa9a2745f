"""Takes the references out of a request: what must exist before it is routed, and where a client finds it in the
body."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.reference_spec import ParentSpec, ReferenceSpec
from gateway.schema_reader import Node
from kit.problems import PayloadTooLarge
from kit.references.reading import NUMBER_MAX, NUMBER_MIN
from kit.strict_json import pointer_step

REFERENCES_MAX: Final = 5_000
VALUE_LENGTH_MAX: Final = 256

Scope = Mapping[str, Any]


@dataclass(slots=True)
class Found:
    """A value that refers to something. `scope` is the object it stands in. A malformed value is no id: it is not asked
    about, and neither is what it would have to match."""

    spec: ReferenceSpec
    value: str
    pointer: str
    scope: Scope
    in_path: bool = False
    malformed: bool = False


@dataclass(slots=True)
class Wanted:
    """What an owner is asked: that `parent` has `id` (or a document with `key`), with these values (`match`), under
    these conditions (`require`), and open to the caller. `copy` names what it should hand over."""

    relationship: str
    parent: str
    id: str | None
    key: dict[str, Any] | None
    match: dict[str, Any]
    copy: tuple[str, ...]
    require: dict[str, Any]
    pointer: str
    in_path: bool = False
    # The fields of the request's object that the copied values stand for: (child field, parent field).
    copies_to: tuple[tuple[str, str], ...] = ()
    scope: Scope = field(default_factory=dict)
    child_key: dict[str, Any] | None = None


def in_body(node: Node, body: Any, caller_id: str | None) -> list[Found]:
    """Raises PayloadTooLarge beyond REFERENCES_MAX."""
    walk = _Walk(caller_id)
    walk.value(node, body, "", {})
    return walk.found


class _Walk:
    """Goes along a body and its schema's nodes at once."""

    def __init__(self, caller_id: str | None) -> None:
        self.found: list[Found] = []
        self._caller_id = caller_id

    def value(self, node: Node, value: Any, pointer: str, scope: Scope) -> None:
        if node.spec is not None:
            self._add(node.spec, value, pointer, scope)
        for one in node.alternatives:
            self.value(one, value, pointer, scope)
        if isinstance(value, dict):
            self._object(node, value, pointer)
        elif isinstance(value, list):
            for place, item in enumerate(value):
                one_of = node.prefix[place] if place < len(node.prefix) else node.items
                if one_of is not None:
                    self.value(one_of, item, f"{pointer}/{place}", scope)

    def _object(self, node: Node, value: dict[str, Any], pointer: str) -> None:
        for name, child in node.fields.items():
            given = value.get(name)
            if given is not None:
                self.value(child, given, pointer + pointer_step(name), value)
            elif child.default is not None and self._caller_id is not None:
                self._add(child.default, self._caller_id, pointer + pointer_step(name), value)
        if node.extra is not None:
            for name, given in value.items():
                if name not in node.fields:
                    self.value(node.extra, given, pointer + pointer_step(name), value)
        if node.choice is not None:
            branch = node.choice[1].get(str(value.get(node.choice[0])))
            if branch is not None:
                self.value(branch, value, pointer, {})

    def _add(self, spec: ReferenceSpec, value: Any, pointer: str, scope: Scope) -> None:
        if len(self.found) >= REFERENCES_MAX:
            raise PayloadTooLarge(f"The request holds more than {REFERENCES_MAX} references.")
        self.found.append(Found(spec, value, pointer, scope, malformed=is_malformed(spec, value)))


def is_malformed(spec: ReferenceSpec, value: Any) -> bool:
    if not isinstance(value, str) or len(value) > VALUE_LENGTH_MAX:
        return True
    return spec.pattern is not None and spec.pattern.search(value) is None


class UnresolvedError(Exception):
    """A field that says which parent is meant is not known, or not yet."""


class Resolver:
    """Turns what was found into questions for owners. `copied` values of earlier answers stand for child fields that
    the request itself does not carry."""

    def __init__(self, parameters: Mapping[str, str], caller_id: str | None, found: Sequence[Found]) -> None:
        self._parameters = parameters
        self._caller_id = caller_id
        self._references = {(id(one.scope), one.spec.field): one for one in found}
        self._copied: dict[tuple[int, str], Any] = {}

    def keep(self, wanted: Wanted, copied: Mapping[str, Any]) -> None:
        for child, parent in wanted.copies_to:
            if parent in copied:
                self._copied[id(wanted.scope), child] = copied[parent]

    def wanted(self, found: Found) -> Wanted | None:
        """The question; None if there is none, because the discriminator has no known value. Raises UnresolvedError.

        What is not asked is not validated, and a service refuses a write whose references are not: so a request that is
        malformed is left to the service, which says what is wrong with it.
        """
        parent = None if found.malformed else self._parent_of(found)
        if parent is None:
            return None
        child_key = {child: self._value(found, child) for child, _ in parent.key} if parent.key else None
        return Wanted(
            relationship=found.spec.relationship,
            parent=parent.parent,
            id=None if child_key else found.value,
            key=None if child_key is None else {owner: child_key[child] for child, owner in parent.key},
            match={owner: self._value(found, child) for child, owner in parent.match},
            copy=tuple(owner for _, owner in parent.copy),
            require={},
            pointer=found.pointer,
            in_path=found.in_path,
            copies_to=parent.copy,
            scope=found.scope,
            child_key=child_key,
        )

    def _parent_of(self, found: Found) -> ParentSpec | None:
        if found.spec.by is None:
            return found.spec.parents[None]
        kind = self._value(found, found.spec.by)
        return found.spec.parents.get(kind) if isinstance(kind, str) else None

    def _value(self, found: Found, child: str) -> Any:
        if child == found.spec.field:
            return found.value
        place = (id(found.scope), child)
        other = self._references.get(place)
        if other is not None:
            value: Any = None if other.malformed else other.value
        elif found.scope.get(child) is not None:
            value = found.scope[child]
        else:
            value = self._parameters.get(child, self._copied.get(place))
        is_text = isinstance(value, str) and len(value) <= VALUE_LENGTH_MAX
        if not is_text and not (isinstance(value, int) and NUMBER_MIN <= value <= NUMBER_MAX):
            raise UnresolvedError
        return value
