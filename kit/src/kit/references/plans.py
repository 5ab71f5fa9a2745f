"""What a document of a class refers to, found in its row without looking at annotations again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.documents import Entity
from kit.problems import FieldError, InvalidRequest
from kit.references.declaration import SEPARATOR, Reference, Target, intent_key, is_own_key, whole_key


@dataclass(frozen=True, slots=True)
class Use:
    """One reference as one document has it. `parent_id` is None while only a composite `key` is known, by the child's
    names."""

    reference: Reference
    target: Target
    field: str
    parent_id: str | None
    key: Mapping[str, Any] | None = None

    @property
    def relationship(self) -> str:
        return self.reference.relationship

    def intent_key(self, parent_id: str) -> str:
        return intent_key(self.relationship, self.target.entity, parent_id)

    def matched(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What the parent must hold, by its own names."""
        return {parent: row.get(child) for child, parent in self.target.match.items()}

    def parent_key(self) -> dict[str, Any] | None:
        """The composite key by the parent's names."""
        if self.key is None:
            return None
        return {self.target.key[child]: value for child, value in self.key.items()}


class EntityPlan:
    def __init__(self, document_type: type[Entity]) -> None:
        self.document_type = document_type
        self.name = document_type.collection_name()
        self.references: tuple[tuple[str, Reference], ...] = tuple(document_type.references.items())
        self._targets = {field: {one.value: one for one in reference.targets()} for field, reference in self.references}

    def uses(self, row: Mapping[str, Any]) -> list[Use]:
        """The references that need a validation and a closure of their own: not the empty ones, nor the implied."""
        found: list[Use] = []
        for field, reference in self.references:
            value = row.get(field)
            if value is None or (reference.via is not None and self._is_implied(reference, row)):
                continue
            discriminator = None if reference.by is None else row.get(reference.by)
            target = self._targets[field].get(discriminator)
            if target is None:
                raise InvalidRequest(
                    errors=[FieldError(f"/{reference.by}", "invalid", "Nothing of this kind is known.")]
                )
            if reference.key:
                key = {child: row.get(child) for child in reference.key}
                if None not in key.values():
                    found.append(Use(reference, target, field, None, key))
            else:
                found.append(Use(reference, target, field, value))
        return found

    def to_validate(self, before: Mapping[str, Any], after: Mapping[str, Any], uses: Sequence[Use]) -> list[Use]:
        """Of the uses after a change, those whose field, match, key or discriminator it changed."""
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        return [use for use in uses if not changed.isdisjoint(_read_fields(use))]

    def _is_implied(self, reference: Reference, row: Mapping[str, Any]) -> bool:
        if isinstance(reference.via, str):
            return row.get(reference.via) is not None
        for value, field in (reference.via or {}).items():
            through = self.document_type.references[field]
            if through.by is not None and row.get(through.by) == value and row.get(field) is not None:
                return True
        return False


def _read_fields(use: Use) -> set[str]:
    fields = {use.field, *use.target.match, *use.target.key}
    if use.reference.by is not None:
        fields.add(use.reference.by)
    return fields


def look_keys(intent_keys: Sequence[str]) -> list[str]:
    """What a look-up asks for: each key, and each of their relationships as a whole."""
    wholes = {whole_key(key.split(SEPARATOR, 1)[0]) for key in intent_keys if not is_own_key(key)}
    return [*intent_keys, *sorted(wholes)]


def named_by(key: str) -> dict[str, str]:
    """A closure's key as a refusal names it; the id of a whole relationship is "*"."""
    relationship, _, rest = key.partition(SEPARATOR)
    parent, _, parent_id = rest.partition(SEPARATOR)
    if not parent_id:
        return {"relationship": relationship, "parent": "", "id": rest}
    return {"relationship": relationship, "parent": parent, "id": parent_id}
