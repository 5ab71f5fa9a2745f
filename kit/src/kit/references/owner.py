"""The owner's half of a reference: whether the parent is there, is meant, and may be referred to."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kit.batching import Batcher
from kit.clock import Clock
from kit.documents import Entity, Stored
from kit.identity import Caller
from kit.references.registry import Registry
from kit.references.rules import EntityRules, OwnerField
from kit.store import Store
from kit.store.hidden import INTENT_KIND, PARENT_STATE, is_create_intent
from kit.store.rows import Row
from kit.store.sessions import Session

QUESTIONS_MAX = 500
KEPT_S = 3.0
KEPT_MAX = 10_000
ACTIVE = "active"

Status = Literal["ok", "not-found", "unregistered", "condition-failed"]


@dataclass(frozen=True, slots=True)
class Question:
    """Whether `relationship` may name this `parent`, by its `id` or its composite `key`. `match`, `copy` and `require`
    use the parent's field names. `caller` is None for the service's own writes, whose right it has judged itself."""

    relationship: str
    parent: str
    id: str | None = None
    key: Mapping[str, Any] | None = None
    match: Mapping[str, Any] = field(default_factory=dict)
    copy: tuple[str, ...] = ()
    require: Mapping[str, Any] = field(default_factory=dict)
    caller: Caller | None = None

    def identity(self) -> tuple[Any, ...]:
        """What a kept answer belongs to."""
        key = None if self.key is None else tuple(sorted(self.key.items()))
        return (self.relationship, self.parent, self.id, key, tuple(sorted(self.match.items())), self.copy)


@dataclass(frozen=True, slots=True)
class Answer:
    """`id` and `epoch` are the parent's, `copied` holds its fields by their names there."""

    status: Status
    id: str = ""
    epoch: int = 0
    copied: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""

    @property
    def ok(self) -> bool:
        return self.status == "ok"


NOT_FOUND = Answer("not-found", detail="There is no such document that may be referred to.")


class LocalOwner:
    def __init__(self, store: Store, documents: Sequence[type[Stored]], registry: Registry, *, clock: Clock) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self.rules: dict[str, EntityRules] = {
            one.collection_name(): one.rules for one in documents if issubclass(one, Entity)
        }
        self._kept: dict[tuple[Any, ...], tuple[float, Answer]] = {}
        self._asked: Batcher[Question, Answer] = Batcher(self._ask, size_max=QUESTIONS_MAX)

    def owns(self, entity: str) -> bool:
        return entity in self.rules

    async def validate(self, questions: Sequence[Question]) -> list[Answer]:
        """For another service. The registry is read before the parents, in one causally consistent session: whoever
        finds itself registered there is seen by every delete that has not marked its parent yet."""
        pairs = {(one.relationship, one.parent) for one in questions}
        async with self._store.session(fenced=True) as session:
            registered = await self._registry.registered(pairs, session=session)
            answers = await self._answers(questions, session)
        return [
            answer if (one.relationship, one.parent) in registered else _unregistered(one)
            for one, answer in zip(questions, answers, strict=True)
        ]

    async def confirm(self, questions: Sequence[Question], *, live: bool = False) -> list[Answer]:
        """For this service's own references, registered when it started. A positive answer is kept for KEPT_S, unless
        `live`: the look-up of closures makes that safe."""
        answers = {} if live else {one.identity(): kept for one in questions if (kept := self._kept_answer(one))}
        missing = {one.identity(): one for one in questions if one.identity() not in answers}
        if missing:
            asked = await asyncio.gather(*(self._asked.submit(one) for one in missing.values()))
            answers.update(zip(missing, asked, strict=True))
        return [answers[one.identity()] for one in questions]

    def _kept_answer(self, question: Question) -> Answer | None:
        kept = None if question.require else self._kept.get(question.identity())
        return kept[1] if kept is not None and self._clock.monotonic() < kept[0] else None

    async def _ask(self, questions: Sequence[Question]) -> list[Answer]:
        async with self._store.session(fenced=True) as session:
            answers = await self._answers(questions, session)
        if len(self._kept) + len(questions) > KEPT_MAX:
            self._kept.clear()
        until = self._clock.monotonic() + KEPT_S
        for question, answer in zip(questions, answers, strict=True):
            if answer.ok and not question.require:
                self._kept[question.identity()] = (until, answer)
        return answers

    async def _answers(self, questions: Sequence[Question], session: Session | None) -> list[Answer]:
        by_parent: dict[str, list[Question]] = {}
        for question in questions:
            by_parent.setdefault(question.parent, []).append(question)
        found = {
            parent: await self._parents(parent, asked, session)
            for parent, asked in by_parent.items()
            if parent in self.rules
        }
        return [self._answer(question, found.get(question.parent)) for question in questions]

    async def _parents(self, parent: str, asked: Sequence[Question], session: Session | None) -> "_Parents":
        """One query for all ids, and one for all composite keys that share all but their last field."""
        rules = self.rules[parent]
        fields = {PARENT_STATE, INTENT_KIND, *(rules.composite or ())}
        fields |= {rule.field for rule in rules.referable_by if isinstance(rule, OwnerField)}
        for one in asked:
            fields.update(one.match, one.copy, one.require)
        projection = sorted(fields - {"_id"})
        rows: list[Row] = []
        for where, count in _queries(asked, rules.composite or ()):
            rows += await self._store.rows(parent).find(where, fields=projection, limit=count, session=session)
        return _Parents(rows, rules)

    def _answer(self, question: Question, parents: "_Parents | None") -> Answer:
        if parents is None:
            return NOT_FOUND
        rules = parents.rules
        unexposed = {*question.match, *question.copy} - rules.readable() | set(question.require) - {*rules.conditions}
        if unexposed:
            named = ", ".join(sorted(unexposed))
            return Answer("unregistered", detail=f"{question.parent} does not let others read {named}.")
        row = parents.find(question)
        if row is None or not _may_be_named(row, question, rules):
            return NOT_FOUND
        failed = [name for name, value in question.require.items() if not _meets(row.get(name), value)]
        if failed:
            detail = f"Its {', '.join(sorted(failed))} does not allow it ({question.parent})."
            return Answer("condition-failed", id=row["_id"], detail=detail)
        copied = {name: row.get(name) for name in question.copy}
        return Answer("ok", id=row["_id"], epoch=int(row.get(PARENT_STATE, {}).get("epoch", 0)), copied=copied)


class _Parents:
    """The rows of one parent entity that a batch asked for."""

    def __init__(self, rows: Sequence[Row], rules: EntityRules) -> None:
        self.rules = rules
        self._by_id = {row["_id"]: row for row in rows}
        self._by_key = (
            {tuple(row.get(name) for name in rules.composite): row for row in rows} if rules.composite else {}
        )

    def find(self, question: Question) -> Row | None:
        if question.id is not None:
            return self._by_id.get(question.id)
        if question.key is None or set(question.key) != set(self.rules.composite or ()):
            return None
        return self._by_key.get(tuple(question.key[name] for name in self.rules.composite or ()))


def _queries(asked: Sequence[Question], composite: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], int]]:
    """Each with the number of rows that it can find."""
    ids = {one.id for one in asked if one.id is not None}
    if ids:
        yield {"_id": {"$in": sorted(ids)}}, len(ids)
    groups: dict[tuple[Any, ...], set[Any]] = {}
    for one in asked:
        if one.key is not None and set(one.key) == set(composite):
            values = [one.key[name] for name in composite]
            groups.setdefault(tuple(values[:-1]), set()).add(values[-1])
    for scope, lasts in groups.items():
        yield {**dict(zip(composite, scope, strict=False)), composite[-1]: {"$in": list(lasts)}}, len(lasts)


def _may_be_named(row: Row, question: Question, rules: EntityRules) -> bool:
    """Whether it is a document, not in deletion, the one meant, and the caller's to name: one answer for all."""
    if is_create_intent(row) or row.get(PARENT_STATE, {}).get("state", ACTIVE) != ACTIVE:
        return False
    if any(row.get(name) != value for name, value in question.match.items()):
        return False
    return question.caller is None or rules.allow(question.caller, row)


def _meets(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, list | tuple) else value == wanted


def _unregistered(question: Question) -> Answer:
    return Answer("unregistered", detail=f"{question.relationship} is not registered with {question.parent}.")
