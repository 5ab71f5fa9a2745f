"""The sides of an audit that are services: the child's, the parent's owner, and the owner for itself."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from gateway.integrity.calls import NOT_ASKED_FOR, TRIES_MAX, Answer, AuditCalls, NotAnsweredError
from kit.references.audits.audit import PAGE, ChildPage, ClosurePage, DeletionPage
from kit.references.audits.audit_findings import (
    Asked,
    Child,
    ClosureSeen,
    Names,
    ParentSeen,
    Pending,
    Registered,
    Relationship,
    Stuck,
)

T = TypeVar("T")


def named(relationship: Relationship) -> dict[str, Any]:
    """How a child's service is told which relationship is meant."""
    return {"relationship": relationship.name, "parent": relationship.parent, "value": relationship.value}


class ServiceChildSide:
    def __init__(self, calls: AuditCalls, service: str) -> None:
        self._calls = calls
        self._service = service

    async def page(self, relationship: Relationship, after: str, limit: int) -> ChildPage:
        answer = await self._ask("children", relationship, after=after, limit=limit)
        return self._read(lambda: ChildPage(_children(answer), _last(answer, after)))

    async def again(self, relationship: Relationship, ids: Sequence[str]) -> Sequence[Child]:
        answer = await self._ask("children/again", relationship, ids=list(ids))
        return self._read(lambda: _children(answer))

    async def pending(self, relationship: Relationship) -> Sequence[Pending]:
        answer = await self._ask("intents", relationship)
        return self._read(lambda: [Pending(str(one["id"]), str(one["kind"]), one["ageS"]) for one in answer["intents"]])

    async def closures(self, relationship: Relationship, after: str, limit: int) -> ClosurePage:
        answer = await self._ask("closures", relationship, after=after, limit=limit)
        return self._read(
            lambda: ClosurePage(
                tuple(
                    ClosureSeen(str(one["id"]), int(one["epoch"]), bool(one["closed"]), one["ageS"])
                    for one in answer["closures"]
                ),
                _last(answer, after),
            )
        )

    async def _ask(self, path: str, relationship: Relationship, **more: Any) -> Answer:
        return await self._calls.ask(self._service, path, {**named(relationship), **more})

    def _read(self, read: Callable[[], T]) -> T:
        return _well_formed(self._service, read)


class ServiceParentSide:
    def __init__(self, calls: AuditCalls, owner: str, *, tries: int = TRIES_MAX) -> None:
        self._calls = calls
        self._owner = owner
        self._tries = tries

    async def look(self, asked: Asked, names: Collection[Names]) -> Mapping[Names, ParentSeen]:
        found: dict[Names, ParentSeen] = {}
        listed = list(names)
        for start in range(0, len(listed), PAGE):
            answer = await self._calls.ask(
                self._owner,
                "parents",
                {
                    "parent": asked.parent,
                    "key": list(asked.key),
                    "fields": list(asked.fields),
                    "ofParts": asked.of_parts,
                    "names": [list(one) for one in listed[start : start + PAGE]],
                },
                tries=self._tries,
            )
            found |= _well_formed(self._owner, partial(_parents, answer))
        return found


class ServiceOwnerSide:
    def __init__(self, calls: AuditCalls, service: str) -> None:
        self._calls = calls
        self._service = service

    async def registered(self) -> Sequence[Registered]:
        answer = await self._calls.ask(self._service, "registered")
        return _well_formed(self._service, lambda: [_registered(one) for one in answer["registered"]])

    async def in_deletion(self, entity: str, after: str, limit: int) -> DeletionPage:
        asked = {"entity": entity, "after": after, "limit": limit}
        answer = await self._calls.ask(self._service, "in-deletion", asked)
        return _well_formed(
            self._service, lambda: DeletionPage(tuple(_stuck(one) for one in answer["found"]), _last(answer, after))
        )


async def open_deletions(calls: AuditCalls, ids: Collection[str]) -> dict[str, bool]:
    """Each is kept by the service that its id begins with; those of a service that can't be asked are left out."""
    by_service: dict[str, list[str]] = {}
    for one in ids:
        by_service.setdefault(one.partition(".")[0], []).append(one)
    found: dict[str, bool] = {}
    for service, mine in by_service.items():
        try:
            answer = await calls.ask(service, "open-deletions", {"ids": mine})
        except NotAnsweredError:
            continue
        found |= {one: bool(answer.get("open", {}).get(one)) for one in mine}
    return found


def _well_formed(service: str, read: Callable[[], T]) -> T:
    """Raises NotAnsweredError if the answer is not of the form that was asked for."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAnsweredError(service, NOT_ASKED_FOR) from error


def _children(answer: Answer) -> tuple[Child, ...]:
    return tuple(_child(one) for one in answer["children"])


def child_of(service: str, answer: Answer) -> Child:
    """Raises NotAnsweredError if there is none in the service's answer."""
    return _well_formed(service, lambda: _child(answer["child"]))


def _child(said: Mapping[str, Any]) -> Child:
    return Child(str(said["id"]), tuple(said["names"]), dict(said["match"]))


def _parents(answer: Answer) -> dict[Names, ParentSeen]:
    return {
        tuple(one["names"]): ParentSeen(dict(one["values"]), str(one["state"]), int(one["epoch"]))
        for one in answer["parents"]
    }


def _registered(said: Mapping[str, Any]) -> Registered:
    return Registered(
        str(said["relationship"]),
        str(said["parent"]),
        str(said["service"]),
        str(said["registeredAt"]),
        bool(said["isValidated"]),
    )


def _stuck(said: Mapping[str, Any]) -> Stuck:
    return Stuck(str(said["entity"]), str(said["id"]), str(said["state"]), int(said["epoch"]), said["deletionId"])


def _last(answer: Answer, after: str) -> str | None:
    """Raises ValueError for a page that leads to itself: reading would not end. The order of ids is the store's."""
    last = answer["last"]
    if last == after:
        raise ValueError(last)
    return None if last is None else str(last)
