"""What a child's service says about the parents of an operation: those that a condition is about, or whose match is
not in the request. It comes with the version of the document that it was said of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.extraction import Wanted
from gateway.references import bare
from gateway.upstream_errors import BadAnswerError

ITEMS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Plan:
    questions: tuple[Wanted, ...]
    versions: Mapping[str, int] | None

    @property
    def pointers(self) -> frozenset[str]:
        return frozenset(one.pointer for one in self.questions if one.pointer)


def read_plan(answer: Mapping[str, Any]) -> Plan:
    """Raises BadAnswerError unless all of it is well-formed: a condition that is not understood must not be left
    out."""
    version, items = answer.get("version"), answer.get("items")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
        raise BadAnswerError("the service's plan has a version that is no number")
    if not isinstance(items, list) or len(items) > ITEMS_MAX:
        raise BadAnswerError("the service's plan has no items")
    questions = tuple(_question(item) for item in items)
    return Plan(questions, None if version is None else {"document": version})


def _question(item: Any) -> Wanted:
    if not isinstance(item, dict):
        raise BadAnswerError("the service's plan has an item that is no object")
    relationship, parent, parent_id = item.get("relationship"), item.get("parent"), item.get("id")
    if not (isinstance(relationship, str) and isinstance(parent, str) and isinstance(parent_id, str)):
        raise BadAnswerError("the service's plan has an item that names no parent")
    match, require = item.get("match") or {}, item.get("require") or {}
    copy, pointer = item.get("copy") or [], item.get("pointer") or ""
    if not isinstance(match, dict) or not isinstance(require, dict):
        raise BadAnswerError("the service's plan has an item with malformed conditions")
    if not isinstance(copy, list) or not all(isinstance(name, str) for name in copy) or not isinstance(pointer, str):
        raise BadAnswerError("the service's plan has a malformed item")
    question = bare(relationship, parent, parent_id)
    return replace(question, match=match, require=require, copy=tuple(copy), pointer=pointer)
