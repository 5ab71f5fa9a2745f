"""The course of one delete, without I/O: which calls follow from which answers.

Everything that was decided is in the stores, so a coordinator that dies or has to wait begins again from `resume`:
close what is closed already, void what came since, apply what is left.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from gateway.deletion.steps import (
    DELETING,
    PURGING,
    REFUSED,
    Answer,
    Call,
    Progress,
    Referring,
    Standing,
    Steps,
    WaitingError,
    read_blocked,
    read_referring,
    read_rules,
    read_standing_of,
    whole,
)
from gateway.upstream_errors import BadAnswerError

DEPTH_MAX: Final = 16
BATCHES_MAX: Final = 1_000_000
CLOSURES_MAX: Final = 2_000
ITEMS_MAX: Final = 500
AHEAD: Final = "its owner was restored from a backup; audit, and have the epoch raised"
CHANGES_CHILDREN: Final = frozenset({"CASCADE", "SET_NULL"})

Parents = Sequence[tuple[str, int]]
"""(id, epoch) each."""

Order = Callable[[Sequence[Referring]], Sequence[Referring]]
"""Puts the relationships whose children refer to children of others first."""


@dataclass(frozen=True, slots=True)
class _Doomed:
    """Documents of one entity in purging, and the relationships that refer to it."""

    entity: str
    parents: Parents
    relationships: Sequence[Referring]
    deletion_id: str
    depth: int = 0

    @property
    def ids(self) -> list[str]:
        return [one for one, _ in self.parents]


class _LeftError(WaitingError):
    """Something still refers to what is to be removed."""


class Core:
    def __init__(self, order: Order, progress: Progress) -> None:
        self._order = order
        self._progress = progress

    def run(self, standing: Standing) -> Steps[Standing]:
        """From where the deletion stands to its end. Raises WaitingError, BadAnswerError."""
        if standing.state == DELETING:
            standing = yield from self._decide(standing)
        if standing.state == PURGING:
            standing = yield from self._purge_root(standing)
        return standing

    def count(self, entity: str, parent_id: str, relationships: Sequence[Referring]) -> Steps[list[Mapping[str, Any]]]:
        """What blocks at this moment, without any fence."""
        answers = yield [
            Call(service, "children/count", {"parent": entity, "id": parent_id, "relationships": names})
            for service, names in _by_service(relationships).items()
        ]
        blocked: list[Mapping[str, Any]] = []
        for answer in answers:
            with suppress(BadAnswerError):  # that service is asked again behind the fence
                blocked += read_blocked(answer.get("blockedBy"))
        return blocked

    def _decide(self, standing: Standing) -> Steps[Standing]:
        """Close, void, count; then back to active, or past the point of no return."""
        parents = [(standing.id, standing.epoch)]
        answers = yield from self._close(standing.entity, parents, standing.relationships, count=True)
        stale = _keys(answers, "stale")
        if stale:
            return (yield from self._overtaken(standing, stale))
        blocked = [one for answer in answers for one in read_blocked(answer.get("blockedBy"))]
        if blocked:
            refused = yield from self._owner(standing, "refuse", epoch=standing.epoch, blockedBy=blocked)
            if refused.state == REFUSED:
                yield from self._reopen(standing)
            return refused
        rules: dict[str, str] = {}
        for answer in answers:
            rules |= read_rules(answer.get("rules"))
        plan = [
            Referring(one.relationship, one.service, rules.get(one.relationship, one.on_delete))
            for one in self._order(standing.relationships)
        ]
        said = [one.body() for one in plan]
        return (yield from self._owner(standing, "purge", epoch=standing.epoch, plan=said))

    def _overtaken(self, standing: Standing, stale: Sequence[str]) -> Steps[Standing]:
        """A newer delete closed what this one wanted to. Unless the owner was restored from a backup: then it knows of
        none."""
        now = yield from self._owner(standing, "resume")
        if (now.state, now.epoch) == (standing.state, standing.epoch):
            raise WaitingError({standing.owner: f"{stale[0]} was closed by a newer delete than it knows of: {AHEAD}"})
        return now

    def _purge_root(self, standing: Standing) -> Steps[Standing]:
        """Follows the stored plan. A purge that is resumed begins again at close."""
        root = _Doomed(standing.entity, ((standing.id, standing.epoch),), standing.relationships, standing.deletion_id)
        if not standing.fresh:
            yield from self._close(root.entity, root.parents, root.relationships)
        yield from self._empty(root)
        return (yield from self._owner(standing, "finish", epoch=standing.epoch, progress=self._progress.counts()))

    def _empty(self, doomed: "_Doomed") -> Steps[None]:
        """Applies every rule to the children, and sees that nothing refers to their parents any more."""
        if doomed.depth > DEPTH_MAX:
            raise WaitingError({"gateway": f"cascades are more than {DEPTH_MAX} deep"})
        yield from self._apply_all(doomed)
        self._progress.step = f"look {doomed.entity}"
        looks = [
            Call(service, "children/look", {"parent": doomed.entity, "ids": doomed.ids, "relationships": names})
            for service, names in _by_service(doomed.relationships).items()
        ]
        answers = (yield looks) if looks else []
        left = set(_keys(answers, "left"))
        if left:
            raise _LeftError(
                {
                    one.service: f"{one.relationship} still refers to {doomed.entity}"
                    for one in doomed.relationships
                    if one.relationship in left
                }
            )

    def _apply_all(self, doomed: "_Doomed") -> Steps[None]:
        """Leaves first. The order is of the documents that are known here: where one is missing, children may come
        before what refers to them, so they have another turn after the others."""
        waiting = [one for one in self._order(doomed.relationships) if one.on_delete in CHANGES_CHILDREN]
        while waiting:
            postponed: list[Referring] = []
            reason = WaitingError({})
            for one in waiting:
                try:
                    yield from self._apply(doomed, one)
                except _LeftError as left:
                    postponed.append(one)
                    reason = left
            if len(postponed) == len(waiting):
                raise reason
            waiting = postponed

    def _apply(self, doomed: "_Doomed", one: Referring) -> Steps[None]:
        """In batches. Children that may be referred to come back forced, and are purged before the next batch. One that
        changed nothing is not asked for again at once: another coordinator was faster, or its service is unwell."""
        body = {
            "relationship": one.relationship,
            "parent": doomed.entity,
            "ids": doomed.ids,
            "onDelete": one.on_delete,
            "deletionId": doomed.deletion_id,
        }
        for _ in range(BATCHES_MAX):
            self._progress.step = f"apply {one.relationship}"
            (answer,) = yield [Call(one.service, "children/apply", body)]
            set_null, removed, forced = _whole(answer, "setNull"), _whole(answer, "removed"), _forced(answer)
            self._progress.set_null += set_null
            self._progress.removed += removed
            if forced:
                known = read_referring(answer.get("relationships"))
                child = _named(answer, "child")
                children = _Doomed(child, forced, known, doomed.deletion_id, doomed.depth + 1)
                yield from self._purge_forced(one.service, children)
            if not answer.get("more"):
                return
            if not (set_null or removed or forced):
                raise WaitingError({one.service: f"it says that {one.relationship} has more, and changes none of it"})
        raise WaitingError({one.service: f"{one.relationship} has children without end"})

    def _purge_forced(self, service: str, doomed: "_Doomed") -> Steps[None]:
        """By domination nothing can block these."""
        yield from self._close(doomed.entity, doomed.parents, doomed.relationships)
        yield from self._empty(doomed)
        self._progress.step = f"remove {doomed.entity}"
        items = [{"id": child_id, "epoch": epoch} for child_id, epoch in doomed.parents]
        (answer,) = yield [Call(service, "children/remove", {"entity": doomed.entity, "items": items})]
        self._progress.removed += _whole(answer, "removed")

    def _close(
        self, entity: str, parents: Parents, relationships: Sequence[Referring], *, count: bool = False
    ) -> Steps[Sequence[Answer]]:
        """One call per service, or a few where there are many parents."""
        self._progress.step = f"close {entity}"
        calls: list[Call] = []
        for service, names in _by_service(relationships).items():
            size = max(1, min(ITEMS_MAX, CLOSURES_MAX // len(names)))
            for start in range(0, len(parents), size):
                items = [{"id": one, "epoch": epoch} for one, epoch in parents[start : start + size]]
                body = {"parent": entity, "relationships": names, "items": items, "count": count}
                calls.append(Call(service, "children/close", body))
        if not calls:
            return []
        answers = yield calls
        if not count:  # nobody overtakes a purge
            said = [(call.service, _keys([answer], "stale")) for call, answer in zip(calls, answers, strict=True)]
            reason = f"was closed by a newer delete than is known of: {AHEAD}"
            stale = {service: f"{keys[0]} {reason}" for service, keys in said if keys}
            if stale:
                raise WaitingError(stale)
        return answers

    def _reopen(self, standing: Standing) -> Steps[None]:
        """A courtesy: whoever creates next would find out by the owner's newer epoch."""
        items = [{"id": standing.id, "epoch": standing.epoch + 1}]
        calls = [
            Call(service, "children/reopen", {"parent": standing.entity, "relationships": names, "items": items})
            for service, names in _by_service(standing.relationships).items()
        ]
        if calls:
            yield calls

    def _owner(self, standing: Standing, step: str, **said: Any) -> Steps[Standing]:
        self._progress.step = step
        (answer,) = yield [Call(standing.owner, f"deletions/{step}", {"deletionId": standing.deletion_id, **said})]
        return read_standing_of(standing.deletion_id, answer)


def _by_service(relationships: Sequence[Referring]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in relationships:
        found.setdefault(one.service, []).append(one.relationship)
    return found


def _forced(answer: Answer) -> list[tuple[str, int]]:
    try:
        return [(_named(item, "id"), whole(item["epoch"])) for item in _list(answer, "forced")]
    except (AttributeError, KeyError, TypeError) as error:
        raise BadAnswerError("the service does not say what it forced") from error


def _keys(answers: Sequence[Answer], name: str) -> list[str]:
    keys = [key for answer in answers for key in _list(answer, name)]
    if not all(isinstance(key, str) for key in keys):
        raise BadAnswerError(f"the service's list {name} holds more than names")
    return keys


def _list(answer: Answer, name: str) -> list[Any]:
    value = answer.get(name)
    if not isinstance(value, list):
        raise BadAnswerError(f"the service's answer has no list {name}")
    return value


def _named(answer: Answer, name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str):
        raise BadAnswerError(f"the service's answer has no text {name}")
    return value


def _whole(answer: Answer, name: str) -> int:
    try:
        return whole(answer.get(name))
    except TypeError:
        raise BadAnswerError(f"the service's answer has no number {name}") from None
