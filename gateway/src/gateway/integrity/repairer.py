"""Carries out what an admin orders: per item, only after the owner confirmed in this very request that the parent is
not there (or does not match), and only while the child still names it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from gateway.catalogue import Catalogue
from gateway.integrity.calls import AuditCalls, NotAnsweredError
from gateway.integrity.plan import Planned, planned_of
from gateway.integrity.sides import ServiceParentSide, child_of, named
from kit.identity import Caller
from kit.problems import FieldError, InvalidRequest
from kit.references.audits.audit import why_orphan
from kit.references.audits.audit_findings import Asked, Child
from kit.references.audits.repair import AS_REPORTED, GONE
from kit.references.deletes.deletions import CHANGED

AT_ONCE_MAX: Final = 4
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


class Repairer:
    """`begin_delete` is told of a deletion that was begun, so that it needn't wait for a sweeper."""

    def __init__(
        self,
        calls: AuditCalls,
        catalogue: Callable[[], Catalogue],
        begin_delete: Callable[[str, Caller], object] | None = None,
    ) -> None:
        self._calls = calls
        self._catalogue = catalogue
        self._begin_delete = begin_delete

    async def repair(self, audit_id: str, items: Sequence[Item], caller: Caller) -> list[dict[str, Any]]:
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

        async def one(item: Item, found: Sequence[Planned]) -> dict[str, Any]:
            async with at_once:
                return await self._repaired(audit_id, item, found, caller)

        return list(await asyncio.gather(*(one(*pair) for pair in zip(items, options, strict=True))))

    async def _repaired(self, audit_id: str, item: Item, options: Sequence[Planned], caller: Caller) -> dict[str, Any]:
        said = {"auditId": audit_id, "by": caller.id or ""}
        try:
            if item.action == RAISE_EPOCH:
                outcome = await self._epoch_raised(said, item, options)
            else:
                outcome = await self._removed(said, item, options)
        except NotAnsweredError as error:
            outcome = Outcome.refused("unreachable", str(error))
        _log.info(
            "repair",
            audit=audit_id,
            by=caller.id,
            action=item.action,
            relationship=item.relationship,
            child=item.child_id,
            parent=item.parent_id,
            result=outcome.result,
            reason=outcome.code,
        )
        if outcome.deletion_id is not None and self._begin_delete is not None:
            self._begin_delete(outcome.deletion_id, caller)
        return _body(item, outcome)

    async def _removed(self, said: Mapping[str, str], item: Item, options: Sequence[Planned]) -> Outcome:
        order = {
            **said,
            "childId": item.child_id,
            "parentId": item.parent_id,
            "keeps": item.action == QUARANTINE,
        }
        states: set[str] = set()
        for one in options:
            looked = await self._calls.ask(one.service, "repair/look", {**named(one.relationship), **order})
            states.add(str(looked.get("state")))
            if looked.get("state") == AS_REPORTED:
                refused = await self._refusal(one, child_of(one.service, looked))
                return refused or await self._carried_out(one, order)
        if states == {GONE}:
            return Outcome(GONE, None, "It is not there any more.")
        return Outcome.refused(CHANGED)

    async def _refusal(self, one: Planned, child: Child) -> Outcome | None:
        """None if the owner confirms, now, that this is an orphan."""
        if one.owner is None:
            return Outcome.refused("unknown-owner")
        seen = await ServiceParentSide(self._calls, one.owner).look(one.relationship.asked, {child.names})
        if why_orphan(child, seen.get(child.names)) is None:
            return Outcome.refused("parent-exists")
        return None

    async def _carried_out(self, one: Planned, order: Mapping[str, Any]) -> Outcome:
        """Asked once, so that what was done is not reported as found done already."""
        try:
            answer = await self._calls.ask(one.service, "repair", {**named(one.relationship), **order}, tries=1)
        except NotAnsweredError as error:
            return Outcome.refused("unknown-outcome", f"Repeat the repair to see whether it was done: {error}")
        result = str(answer.get("result"))
        if result == CHANGED:
            return Outcome.refused(CHANGED)
        deletion_id = answer.get("deletionId")
        return Outcome(result, deletion_id=deletion_id if isinstance(deletion_id, str) else None)

    async def _epoch_raised(self, said: Mapping[str, str], item: Item, options: Sequence[Planned]) -> Outcome:
        for one in options:
            body = {**named(one.relationship), "parentId": item.parent_id}
            epoch = (await self._calls.ask(one.service, "closure", body)).get("epoch")
            if epoch is None:
                continue
            if not isinstance(epoch, int):
                raise NotAnsweredError(one.service, "it does not say at which epoch the closure stands")
            if one.owner is None:
                return Outcome.refused("unknown-owner")
            return await self._raised_above(epoch, said, one, one.owner, item.parent_id)
        return Outcome.refused("no-closure")

    async def _raised_above(
        self, epoch: int, said: Mapping[str, str], one: Planned, owner: str, parent_id: str
    ) -> Outcome:
        parent = one.relationship.parent
        if await self._is_above(epoch, parent, owner, parent_id):
            return Outcome("nothing-to-do", "above", _WHY["above"])
        body = {**said, "parent": parent, "id": parent_id, "above": epoch}
        result = str((await self._calls.ask(owner, "raise-epoch", body)).get("result"))
        if result in ("raised", "above"):
            return Outcome("raised")
        return Outcome.refused({"absent": "no-parent"}.get(result, result))

    async def _is_above(self, epoch: int, parent: str, owner: str, parent_id: str) -> bool:
        seen = await ServiceParentSide(self._calls, owner).look(Asked(parent), {(parent_id,)})
        found = seen.get((parent_id,))
        return found is not None and found.epoch > epoch


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
