"""One service's part of an audit: its relationships, one after the other or a few at once, and what it finds as an
owner. Whoever drives it gives signs of life; who can't any more has been overtaken, and stops."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog

from gateway.catalogue import Catalogue
from gateway.integrity.calls import TRIES_MAX, AuditCalls, NotAnsweredError
from gateway.integrity.plan import Planned, find, key_of, not_checked, planned_of
from gateway.integrity.sides import ServiceChildSide, ServiceOwnerSide, ServiceParentSide, open_deletions
from gateway.upstream_errors import UpstreamError
from kit.references.audits.audit import audit, audit_owner
from kit.references.audits.audit_findings import REFERENCE, OwnerReport
from kit.references.audits.audit_records import RUNNING

AT_ONCE_MAX: Final = 4
Ensure = Callable[[str], Awaitable[None]]
"""Tells an owner of the relationships to its entities, unless it was told."""
_log = structlog.get_logger("gateway.integrity")


class Part:
    """`said` is what the service's record planned for all; `beat` the record's count of signs of life."""

    def __init__(
        self,
        audit_id: str,
        service: str,
        said: Sequence[Mapping[str, Any]],
        *,
        beat: int,
        holder: str,
        calls: AuditCalls,
        ensure: Ensure,
        catalogue: Catalogue,
        recheck_s: float,
        beat_s: float,
    ) -> None:
        self._audit_id = audit_id
        self._service = service
        self._said = [one for one in said if one.get("service") == service]
        self._beat = beat
        self._holder = holder
        self._calls = calls
        self._ensure = ensure
        self._catalogue = catalogue
        self._recheck_s = recheck_s
        self._beat_s = beat_s
        self._registered: dict[str, Mapping[tuple[str, str], str]] = {}

    async def run(self) -> None:
        """To its end, or until somebody else has taken it over or the service can't be told any more."""
        work = asyncio.create_task(self._work())
        beating = asyncio.create_task(self._give_signs_of_life())
        try:
            await asyncio.wait({work, beating}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, beating):
                task.cancel()
            await asyncio.gather(work, beating, return_exceptions=True)
        if not work.cancelled() and work.exception() is not None:
            await self._failed(work.exception())

    async def _give_signs_of_life(self) -> None:
        while True:
            await asyncio.sleep(self._beat_s)
            body = {"auditId": self._audit_id, "beat": self._beat, "holder": self._holder}
            try:
                answer = await self._calls.ask(self._service, "records/beat", body)
            except NotAnsweredError as error:
                _log.warning("audit left to others", audit=self._audit_id, of=self._service, reason=str(error))
                return
            if not answer.get("isHeld"):
                _log.info(await self._why_not_held(), audit=self._audit_id, of=self._service)
                return
            self._beat += 1

    async def _why_not_held(self) -> str:
        try:
            record = (await self._record(tries=1)) or {}
        except NotAnsweredError:
            return "audit not held any more"
        return "audit overtaken" if record.get("state") == RUNNING else "audit ended"

    async def _record(self, *, tries: int = TRIES_MAX) -> Mapping[str, Any] | None:
        body = {"auditId": self._audit_id}
        return (await self._calls.ask(self._service, "records/read", body, tries=tries)).get("audit")

    async def _work(self) -> None:
        """Raises NotAnsweredError only if the service itself can't be told what was found."""
        record = await self._record()
        done = {key_of(one) for one in (record or {}).get("reports", ())}
        at_once = asyncio.Semaphore(AT_ONCE_MAX)
        planned = planned_of(self._catalogue)

        async def one(said: Mapping[str, Any]) -> None:
            async with at_once:
                await self._save(await self._checked(said, find(planned, said)))

        async with asyncio.TaskGroup() as group:
            for said in self._said:
                if key_of(said) not in done:
                    group.create_task(one(said))
        owner = await self._owner_report()
        await self._calls.ask(self._service, "records/finish", {"auditId": self._audit_id, "owner": owner})

    async def _checked(self, said: Mapping[str, Any], planned: Planned | None) -> Mapping[str, Any]:
        if planned is None:
            return not_checked(said, f"The document of {self._service} declares it no more.")
        if planned.owner is None:
            return not_checked(said, f"No service is known that has {planned.relationship.parent}.")
        try:
            registered_at = await self._registered_at(planned, planned.owner)
            report = await audit(
                planned.relationship,
                children=ServiceChildSide(self._calls, self._service),
                parents=ServiceParentSide(self._calls, planned.owner),
                recheck_after_s=self._recheck_s,
            )
        except NotAnsweredError as error:
            self._raise_if_gone(error)
            return not_checked(said, str(error))
        if report.is_clean and registered_at is not None:
            await self._mark_validated(planned, planned.owner, registered_at)
        return report.body()

    def _raise_if_gone(self, error: NotAnsweredError) -> None:
        """A part can only go on where it is kept: whoever finds the service there again goes on with it."""
        if error.service == self._service and error.is_down:
            raise error

    async def _save(self, report: Mapping[str, Any]) -> None:
        body = {"auditId": self._audit_id, "report": report}
        await self._calls.ask(self._service, "records/save", body)

    async def _registered_at(self, planned: Planned, owner: str) -> str | None:
        """When it was registered with its owner, as that says before a child is read; None if it is not. One that names
        a parent by two discriminators is registered once: what one of them finds says nothing of the other."""
        if planned.relationship.kind != REFERENCE or self._names_twice(planned):
            return None
        if owner not in self._registered:
            with suppress(UpstreamError):  # an audit of what is not registered yet is one all the same
                await self._ensure(owner)
            found = await ServiceOwnerSide(self._calls, owner).registered()
            self._registered[owner] = {(one.relationship, one.parent): one.at for one in found}
        return self._registered[owner].get((planned.relationship.name, planned.relationship.parent))

    def _names_twice(self, planned: Planned) -> bool:
        named = (planned.relationship.name, planned.relationship.parent)
        return sum((one.get("relationship"), one.get("parent")) == named for one in self._said) > 1

    async def _mark_validated(self, planned: Planned, owner: str, registered_at: str) -> None:
        body = {
            "relationship": planned.relationship.name,
            "parent": planned.relationship.parent,
            "registeredAt": registered_at,
        }
        try:
            await self._calls.ask(owner, "validated", body)
        except NotAnsweredError as error:
            _log.warning("not marked validated", relationship=planned.relationship.name, reason=str(error))

    async def _owner_report(self) -> Mapping[str, Any]:
        """Registrations of services whose document is not known now may be declared there."""
        report = OwnerReport(self._service)
        document = self._catalogue.documents.get(self._service)
        if document is None:
            report.cut_short("Its document is not known to the gateway that audited it.")
            return report.body()
        planned = planned_of(self._catalogue)
        try:
            report = await audit_owner(
                self._service,
                list(document.entities),
                owner=ServiceOwnerSide(self._calls, self._service),
                open_deletions=lambda ids: open_deletions(self._calls, ids),
                declared={(one.relationship.name, one.relationship.parent) for one in planned},
                recheck_after_s=self._recheck_s,
            )
        except NotAnsweredError as error:
            self._raise_if_gone(error)
            report.cut_short(str(error))
            return report.body()
        report.undeclared = [one for one in report.undeclared if one.service not in self._catalogue.missing]
        return report.body()

    async def _failed(self, error: BaseException | None) -> None:
        """The service could not be told: whoever finds it alive again goes on. Anything else is a bug, and ends it."""
        if _only_unanswered(error):
            _log.warning("audit left to others", audit=self._audit_id, of=self._service, reason=str(error))
            return
        _log.error("audit failed", audit=self._audit_id, of=self._service, exc_info=error)
        body = {"auditId": self._audit_id, "reason": "internal error of the gateway"}
        try:
            await self._calls.ask(self._service, "records/finish", body)
        except NotAnsweredError:
            _log.warning("failure not recorded", audit=self._audit_id, of=self._service)


def _only_unanswered(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only_unanswered(one) for one in error.exceptions)
    return isinstance(error, NotAnsweredError)
