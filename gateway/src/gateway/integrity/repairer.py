"""Carries out what an admin orders: per item, only after the owner confirmed in this very request that the parent is
not there (or does not match), and only while the child still names it. What there is no time for is not begun."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from gateway.catalogue import Catalogue
from gateway.integrity.calls import Answer, AuditCalls, NotAnsweredError
from gateway.integrity.plan import Planned, planned_of
from gateway.integrity.sides import ServiceParentSide, child_of, named
from kit.identity import Caller
from kit.problems import FieldError, InvalidRequest
from kit.references.audits.audit import why_orphan
from kit.references.audits.audit_findings import Asked, Child
from kit.references.audits.repair import AS_REPORTED, GONE
from kit.references.deletes.deletions import CHANGED

AT_ONCE_MAX: Final = 4
LOOK_TRIES: Final = 2
WRITE_TRIES: Final = 2
CHECK_SHARE: Final = 0.2
LOOK_SHARE: Final = 0.6
WRITE_SHARE: Final = 0.9
"""Of a request's time: by the first it is known whether there is such an audit, no item is begun or confirmed after the
second, and what was ordered by then has its answer by the third."""
REMOVE: Final = "remove"
QUARANTINE: Final = "quarantine"
RAISE_EPOCH: Final = "raise-epoch"
ACTIONS: Final = (REMOVE, QUARANTINE, RAISE_EPOCH)
NOT_REPAIRED: Final = "not-repaired"
_WHY: Final = {
    CHANGED: "It is no longer as it was reported.",
    "parent-exists": "Its parent is there, and holds what it is matched by; there is nothing to repair.",
    "unreachable": "A service that has to confirm it cannot be asked now; nothing was changed.",
    "unknown-owner": "No service is known that has the parent, so nobody can confirm that it is not there.",
    "no-closure": "No closure stands for this parent.",
    "no-parent": "The parent is not there; its closures stay, as they should.",
    "in-deletion": "The parent is being deleted.",
    "above": "The parent's epoch is above the closure's already.",
}
_NO_TIME: Final = "There was no time for it in this request; nothing was changed. Repeat it."
_log = structlog.get_logger("gateway.integrity")


@dataclass(frozen=True, slots=True)
class Item:
    """What is to be done with one finding. `child_id` is empty for "raise-epoch"."""

    relationship: str
    child_id: str
    parent_id: str
    action: str


@dataclass(frozen=True, slots=True)
class Outcome:
    result: str
    code: str | None = None
    detail: str = ""
    deletion_id: str | None = None

    @classmethod
    def refused(cls, code: str, detail: str = "") -> "Outcome":
        return cls(NOT_REPAIRED, code, detail or _WHY[code])


@dataclass(frozen=True, slots=True)
class Times:
    """Of one request, in the event loop's time."""

    check_by: float
    look_by: float
    write_by: float


class Repairer:
    """`begin_delete` is told of a deletion that was begun, so that it needn't wait for a sweeper."""

    def __init__(
        self,
        calls: AuditCalls,
        catalogue: Callable[[], Catalogue],
        begin_delete: Callable[[str, Caller], object],
        *,
        timeout_s: float,
    ) -> None:
        self._calls = calls
        self._catalogue = catalogue
        self._begin_delete = begin_delete
        self._timeout_s = timeout_s

    def times(self) -> Times:
        """Of a request that begins now."""
        now = asyncio.get_running_loop().time()
        return Times(*(now + share * self._timeout_s for share in (CHECK_SHARE, LOOK_SHARE, WRITE_SHARE)))

    async def repair(self, audit_id: str, items: Sequence[Item], caller: Caller, times: Times) -> list[dict[str, Any]]:
        """What became of each, in order. Raises InvalidRequest for a relationship that no service declares."""
        planned = planned_of(self._catalogue())
        options = [[one for one in planned if one.relationship.name == item.relationship] for item in items]
        errors = [
            FieldError(f"/items/{place}/relationship", "unknown-relationship", "No service declares it.")
            for place, found in enumerate(options)
            if not found
        ]
        if errors:
            raise InvalidRequest("Not every relationship is known.", errors=errors)
        at_once = asyncio.Semaphore(AT_ONCE_MAX)
        repairs = _Repairs(self._calls.until(times.look_by), self._calls.until(times.write_by), audit_id, caller)

        async def one(item: Item, found: Sequence[Planned]) -> dict[str, Any]:
            async with at_once:
                if asyncio.get_running_loop().time() >= times.look_by:
                    return _body(item, Outcome.refused("unreachable", _NO_TIME))
                outcome = await repairs.outcome(item, found)
            if outcome.deletion_id is not None:
                self._begin_delete(outcome.deletion_id, caller)
            return _body(item, outcome)

        return list(await asyncio.gather(*(one(*pair) for pair in zip(items, options, strict=True))))


class _Repairs:
    """Of one request: what is looked at by `looks`, and changed by `writes`, which have longer."""

    def __init__(self, looks: AuditCalls, writes: AuditCalls, audit_id: str, caller: Caller) -> None:
        self._looks = looks
        self._writes = writes
        self._said = {"auditId": audit_id, "by": caller.id or ""}

    async def outcome(self, item: Item, options: Sequence[Planned]) -> Outcome:
        try:
            carried_out = self._epoch_raised if item.action == RAISE_EPOCH else self._removed
            outcome = await carried_out(item, options)
        except NotAnsweredError as error:
            outcome = Outcome.refused("unreachable", f"Nothing was changed: {error}")
        _log.info(
            "repair",
            audit=self._said["auditId"],
            by=self._said["by"],
            action=item.action,
            relationship=item.relationship,
            child=item.child_id,
            parent=item.parent_id,
            result=outcome.result,
            reason=outcome.code,
        )
        return outcome

    async def _removed(self, item: Item, options: Sequence[Planned]) -> Outcome:
        order = {
            **self._said,
            "childId": item.child_id,
            "parentId": item.parent_id,
            "keeps": item.action == QUARANTINE,
        }
        states: set[str] = set()
        for one in options:
            looked = await self._look(one.service, "repair/look", {**named(one.relationship), **order})
            states.add(str(looked.get("state")))
            if looked.get("state") == AS_REPORTED:
                child = child_of(one.service, looked)
                refused = await self._refusal(one, child)
                return refused or await self._carried_out(one, {**order, "match": dict(child.match)})
        if states == {GONE}:
            return Outcome(GONE, None, "It is not there any more.")
        return Outcome.refused(CHANGED)

    async def _refusal(self, one: Planned, child: Child) -> Outcome | None:
        """None if the owner confirms, now, that this is an orphan."""
        if one.owner is None:
            return Outcome.refused("unknown-owner")
        seen = await self._parents(one.owner).look(one.relationship.asked, {child.names})
        if why_orphan(child, seen.get(child.names)) is None:
            return Outcome.refused("parent-exists")
        return None

    async def _carried_out(self, one: Planned, order: Mapping[str, Any]) -> Outcome:
        """Asked once, so that what was done is not reported as found done already."""
        try:
            answer = await self._writes.ask(one.service, "repair", {**named(one.relationship), **order}, tries=1)
        except NotAnsweredError as error:
            return Outcome.refused("refused", error.reason) if error.is_refusal else _unknown(error)
        result = str(answer.get("result"))
        if result == CHANGED:
            return Outcome.refused(CHANGED)
        deletion_id = answer.get("deletionId")
        return Outcome(result, deletion_id=deletion_id if isinstance(deletion_id, str) else None)

    async def _epoch_raised(self, item: Item, options: Sequence[Planned]) -> Outcome:
        for one in options:
            body = {**named(one.relationship), "parentId": item.parent_id}
            epoch = (await self._look(one.service, "closure", body)).get("epoch")
            if epoch is None:
                continue
            if not isinstance(epoch, int):
                raise NotAnsweredError(one.service, "it does not say at which epoch the closure stands")
            if one.owner is None:
                return Outcome.refused("unknown-owner")
            return await self._raised_above(epoch, one.relationship.parent, one.owner, item.parent_id)
        return Outcome.refused("no-closure")

    async def _raised_above(self, epoch: int, parent: str, owner: str, parent_id: str) -> Outcome:
        if await self._is_above(epoch, parent, owner, parent_id):
            return Outcome("nothing-to-do", "above", _WHY["above"])
        body = {**self._said, "parent": parent, "id": parent_id, "above": epoch}
        try:
            result = str((await self._writes.ask(owner, "raise-epoch", body, tries=WRITE_TRIES)).get("result"))
        except NotAnsweredError as error:
            return _unknown(error)
        if result in ("raised", "above"):
            return Outcome("raised")
        return Outcome.refused({"absent": "no-parent"}.get(result, result))

    async def _is_above(self, epoch: int, parent: str, owner: str, parent_id: str) -> bool:
        seen = await self._parents(owner).look(Asked(parent), {(parent_id,)})
        found = seen.get((parent_id,))
        return found is not None and found.epoch > epoch

    def _parents(self, owner: str) -> ServiceParentSide:
        return ServiceParentSide(self._looks, owner, tries=LOOK_TRIES)

    async def _look(self, service: str, path: str, body: Mapping[str, Any]) -> Answer:
        return await self._looks.ask(service, path, body, tries=LOOK_TRIES)


def _unknown(error: NotAnsweredError) -> Outcome:
    return Outcome.refused("unknown-outcome", f"Repeat the repair to see whether it was done: {error}")


def _body(item: Item, outcome: Outcome) -> dict[str, Any]:
    said: dict[str, Any] = {
        "relationship": item.relationship,
        "childId": item.child_id or None,
        "parentId": item.parent_id,
        "action": item.action,
        "result": outcome.result,
        "code": outcome.code,
        "detail": outcome.detail,
    }
    if outcome.deletion_id is not None:
        said["deletionId"] = outcome.deletion_id
    return said
