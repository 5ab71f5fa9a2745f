"""Decides about the references of one request: all confirmed, or one refusal that names every bad field."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.answers_cache import Confirmed
from gateway.catalogue import Catalogue
from gateway.documents import Operation
from gateway.extraction import Found, Resolver, UnresolvedError, Wanted, in_body, is_malformed
from gateway.validation import ConditionFailed, Missing, Outcome, Unregistered, Unverifiable, Validation
from kit.context import ValidatedReference
from kit.identity import Caller
from kit.problems import (
    FieldError,
    NotFound,
    ReferenceConditionFailed,
    ReferenceNotFound,
    ReferenceUnverifiable,
)

ROUNDS_MAX: Final = 3
_NOT_FOUND: Final = "It names nothing that the caller may refer to here."


@dataclass(frozen=True, slots=True)
class Checked:
    """What was asked and confirmed, in the same order."""

    wanted: tuple[Wanted, ...] = ()
    references: tuple[ValidatedReference, ...] = ()

    def joined(self, other: "Checked") -> "Checked":
        return Checked((*self.wanted, *other.wanted), (*self.references, *other.references)) if other.wanted else self


NOTHING: Final = Checked()


def find(
    operation: Operation,
    *,
    parameters: Mapping[str, str],
    query: Mapping[str, str],
    body: Any,
    caller: Caller,
) -> list[Found]:
    """Every reference that a request holds, in its path, query and body."""
    found: list[Found] = []
    for place, values in ((operation.path_references, parameters), (operation.query_references, query)):
        for name, spec in place:
            value = values.get(name)
            if value is not None:
                in_path = place is operation.path_references
                found.append(Found(spec, value, f"/{name}", {}, in_path, is_malformed(spec, value)))
    if operation.body is not None and body is not None:
        seen: set[tuple[str, str]] = set()
        for one in in_body(operation.body, body, caller.id):
            if (one.spec.relationship, one.pointer) not in seen:
                seen.add((one.spec.relationship, one.pointer))
                found.append(one)
    return found


class ReferenceChecks:
    def __init__(self, validation: Validation, catalogue: Callable[[], Catalogue]) -> None:
        self._validation = validation
        self._catalogue = catalogue

    async def check(
        self, operation: Operation, found: Sequence[Found], parameters: Mapping[str, str], caller: Caller
    ) -> Checked:
        """Confirms every reference to another service's entity; those to the operation's own are the service's to
        check, and are asked about here only to complete a refusal.

        Raises ReferenceNotFound (NotFound for one in the path), or ReferenceUnverifiable.
        """
        if not found:
            return NOTHING
        resolver = Resolver(parameters, caller.id, found)
        owners = self._catalogue().owners
        foreign: list[Found] = []
        own: list[Found] = []
        for one in found:
            parents = {parent.parent for parent in one.spec.parents.values()}
            (own if all(owners.get(parent) == operation.service for parent in parents) else foreign).append(one)
        asked = await self._ask(foreign, resolver, caller, skip_service=operation.service)
        _refuse_unverifiable(outcome for _, outcome in asked)
        if any(isinstance(outcome, Missing) for _, outcome in asked):
            asked += await self._ask([*own, *foreign], resolver, caller, only_service=operation.service)
            refuse_missing(asked)
        return _checked(asked)

    async def _ask(
        self,
        found: Sequence[Found],
        resolver: Resolver,
        caller: Caller,
        *,
        skip_service: str | None = None,
        only_service: str | None = None,
    ) -> list[tuple[Wanted, Outcome]]:
        """Asks in rounds: what is found by a value that an earlier answer hands over waits for it."""
        owners = self._catalogue().owners
        asked: list[tuple[Wanted, Outcome]] = []
        waiting = list(found)
        for _ in range(ROUNDS_MAX):
            questions: list[Wanted] = []
            later: list[Found] = []
            for one in waiting:
                try:
                    wanted = resolver.wanted(one)
                except UnresolvedError:
                    later.append(one)
                    continue
                if wanted is None:
                    continue
                owner = owners.get(wanted.parent)
                if owner != skip_service and (only_service is None or owner == only_service):
                    questions.append(wanted)
            if not questions:
                break
            outcomes = await self._validation.ask(questions, caller)
            for wanted, outcome in zip(questions, outcomes, strict=True):
                asked.append((wanted, outcome))
                if isinstance(outcome, Confirmed):
                    resolver.keep(wanted, outcome.copied)
            waiting = later
        return asked

    async def check_named(self, questions: Sequence[Wanted], caller: Caller) -> Checked:
        """Confirms, live, what the child's service named itself. Raises as `check`, and ReferenceConditionFailed."""
        asked = list(zip(questions, await self._validation.ask(questions, caller, live=True), strict=True))
        _refuse_unverifiable(outcome for _, outcome in asked)
        refuse_missing(asked)
        failed = [
            FieldError(wanted.pointer, ReferenceConditionFailed.code, outcome.detail or "A condition is not met.")
            for wanted, outcome in asked
            if isinstance(outcome, ConditionFailed)
        ]
        if failed:
            raise ReferenceConditionFailed("The fields named in 'errors' do not meet a condition.", errors=failed)
        return _checked(asked)

    async def confirm_again(
        self, closed: Sequence[tuple[str, str, str]], checked: Checked, caller: Caller
    ) -> Checked | None:
        """Asks live about references that a service found closed, (relationship, parent, id) each. All of them with
        their new epochs beside the others, or None if one is not there."""
        known = {(one.relationship, one.parent, one.id): one for one in checked.wanted}
        questions = [known.get(one) or bare(*one) for one in closed]
        outcomes = await self._validation.ask(questions, caller, live=True)
        if not all(isinstance(outcome, Confirmed) for outcome in outcomes):
            return None
        again = _checked(list(zip(questions, outcomes, strict=True)))
        named = set(closed)
        kept = [
            (wanted, reference)
            for wanted, reference in zip(checked.wanted, checked.references, strict=True)
            if (reference.relationship, reference.parent, reference.id) not in named
        ]
        return Checked(
            wanted=(*(wanted for wanted, _ in kept), *again.wanted),
            references=(*(reference for _, reference in kept), *again.references),
        )


def bare(relationship: str, parent: str, parent_id: str) -> Wanted:
    """The question whether a parent is there, without values that it must have."""
    return Wanted(relationship, parent, parent_id, key=None, match={}, copy=(), require={}, pointer="")


def refuse_missing(asked: Sequence[tuple[Wanted, Outcome]]) -> None:
    """Raises for what is not there: NotFound if the path says so, else one ReferenceNotFound for all fields."""
    missing = [wanted for wanted, outcome in asked if isinstance(outcome, Missing)]
    if not missing:
        return
    if any(wanted.in_path for wanted in missing):
        raise NotFound("The path names something that does not exist.")
    pointers = dict.fromkeys(wanted.pointer for wanted in missing)
    raise ReferenceNotFound(
        "The fields named in 'errors' refer to nothing that exists for the caller.",
        errors=[FieldError(pointer, ReferenceNotFound.code, _NOT_FOUND) for pointer in pointers],
    )


def _refuse_unverifiable(outcomes: Any) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Unverifiable):
            raise ReferenceUnverifiable(f"Nothing was written; try again. {outcome.reason}")
        if isinstance(outcome, Unregistered):
            raise ReferenceUnverifiable("Nothing was written: the owner does not take references of this relationship.")


def _checked(asked: Sequence[tuple[Wanted, Outcome]]) -> Checked:
    confirmed = [(wanted, outcome) for wanted, outcome in asked if isinstance(outcome, Confirmed)]
    return Checked(
        wanted=tuple(wanted for wanted, _ in confirmed),
        references=tuple(
            ValidatedReference(
                relationship=wanted.relationship,
                parent=wanted.parent,
                id=outcome.id or wanted.id or "",
                epoch=outcome.epoch,
                copied=outcome.copied,
                key=wanted.child_key,
            )
            for wanted, outcome in confirmed
        ),
    )
