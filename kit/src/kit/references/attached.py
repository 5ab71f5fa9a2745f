"""The references that came validated with a request."""

from collections.abc import Mapping, Sequence
from typing import Any

from kit.context import ValidatedReference
from kit.problems import ReferencesNotValidated


class Attached:
    """What the gateway had the owners confirm for this request, by relationship, parent and id."""

    __slots__ = ("_by_id", "references")

    def __init__(self, references: Sequence[ValidatedReference] = ()) -> None:
        self.references = tuple(references)
        self._by_id = {(one.relationship, one.parent, one.id): one for one in self.references}

    def find(self, relationship: str, parent: str, parent_id: str) -> ValidatedReference | None:
        return self._by_id.get((relationship, parent, parent_id))

    def find_by_key(self, relationship: str, parent: str, key: Mapping[str, Any]) -> ValidatedReference | None:
        """By the values of a composite key, named as the child names them."""
        for one in self.references:
            if (
                (one.relationship, one.parent) == (relationship, parent)
                and one.key is not None
                and dict(one.key) == key
            ):
                return one
        return None

    def epoch(self, relationship: str, parent: str, parent_id: str) -> int | None:
        """The owner's epoch when it confirmed the reference; None if it isn't attached."""
        one = self.find(relationship, parent, parent_id)
        return None if one is None else one.epoch

    def copied(self, relationship: str, parent_id: str) -> Mapping[str, Any]:
        """The parent's fields that came with the validation, by their names there. Raises ReferencesNotValidated."""
        for one in self.references:
            if one.relationship == relationship and one.id == parent_id:
                return one.copied
        raise ReferencesNotValidated(f"{relationship} is not among the validated references.")


NOTHING_ATTACHED = Attached()
