"""An operator removes a relationship, or brings it back: the steps of both, each of which may be repeated.

Removing: its child's service closes it as a whole and voids what is under way, then every owner marks it removed.
Restoring: the child's service tells by which number it was closed last, every owner registers it by that number, then
the child's service opens it, if it was not closed again. So while a write of it can be committed it is registered, and
deletes of its parents ask the child (`kit.references.removal`). Whoever dies in the middle leaves it closed, and the
same command goes on from there.

Deletes pass a removed relationship by: its children may be left naming parents that are gone. A restored one is no
longer validated, until an audit says so.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from gateway.catalogue import Catalogue
from gateway.forwarding import problem_of
from gateway.internal import InternalCalls, json_object
from gateway.membership.decidable import partners, unheld
from gateway.membership.registries import PREFIX, REGISTERED, Registries, RegistryReader, read_rows
from gateway.registration import Registration
from gateway.upstream_errors import NotSentError, UpstreamError
from kit.identity import Caller
from kit.problems import NotFound, Problem, Unavailable

SHARE: Final = 0.9
"""Of a request's time: a command ends by then, and says whom it did not reach."""
_log = structlog.get_logger("gateway.membership")


class ServiceInUse(Problem):
    """`serviceIsGone` was said of a service that answers. Remove the relationship without it."""

    status = 409
    code = "service-in-use"
    title = "The service is still there"


class ServiceUnknown(Problem):
    """The gateway has no address of the child's service. Add it to SERVICES, or say `serviceIsGone=true`."""

    status = 409
    code = "service-unknown"
    title = "The relationship's service is not known here"


class RemovedMeanwhile(Problem):
    """Another operator removed the relationship while it was being restored; it stays removed."""

    status = 409
    code = "removed-meanwhile"
    title = "The relationship was removed again"


class RestoredMeanwhile(Problem):
    """Another operator restored the relationship while it was being removed; it stays registered."""

    status = 409
    code = "restored-meanwhile"
    title = "The relationship was restored"


class RelationshipNeeded(Problem):
    """A delete is decided by this relationship for another one, or it implies that: the other has to be removed before
    it, or restored after it. The detail names it."""

    status = 409
    code = "relationship-needed"
    title = "Another relationship rests on this one"


class Operators:
    def __init__(
        self,
        calls: Mapping[str, InternalCalls],
        registration: Registration,
        reader: RegistryReader,
        catalogue: Callable[[], Catalogue],
        *,
        timeout_s: float,
    ) -> None:
        self._calls = calls
        self._registration = registration
        self._reader = reader
        self._catalogue = catalogue
        self._timeout_s = timeout_s

    async def remove(self, relationship: str, by: Caller, *, service_is_gone: bool) -> dict[str, Any]:
        """Raises NotFound, ServiceInUse, ServiceUnknown, RelationshipNeeded, RestoredMeanwhile, and Unavailable for
        whom has to be asked again."""
        end_at = self._end_at()
        registries = await self._reader.read()
        service = self._service(relationship, registries)
        self._check_removable(relationship, registries)
        _log.warning("removing a relationship", relationship=relationship, by=by.id, service_is_gone=service_is_gone)
        number = None
        if service_is_gone:
            await self._check_gone(service, end_at)
        else:
            number = _number(await self._child(service, "close", relationship, end_at))
        gone = service if service_is_gone else None
        rows = await self._at_owners("remove", relationship, registries, end_at, number=number, gone=gone)
        if any(row["state"] == REGISTERED for row in rows):
            raise RestoredMeanwhile("Look at GET /v1/references, and repeat the command that is meant.")
        _log.warning("relationship removed", relationship=relationship, by=by.id)
        return {"relationship": relationship, "service": service, "state": "removed", "registrations": rows}

    async def restore(self, relationship: str, by: Caller) -> dict[str, Any]:
        """Raises NotFound, ServiceUnknown, RelationshipNeeded, RemovedMeanwhile, and Unavailable for whom has to be
        asked again."""
        end_at = self._end_at()
        registries = await self._reader.read()
        service = self._service(relationship, registries)
        self._check_restorable(relationship, registries)
        _log.warning("restoring a relationship", relationship=relationship, by=by.id)
        closed = await self._child(service, "look", relationship, end_at)
        number = _number(closed)
        rows = await self._at_owners("restore", relationship, registries, end_at, number=number)
        is_open = all(row["state"] == REGISTERED for row in rows)
        if is_open and closed.get("closed") is not False:
            is_open = (await self._child(service, "open", relationship, end_at, number=number)).get("open") is True
        if not is_open:
            raise RemovedMeanwhile("Look at GET /v1/references, and repeat the command that is meant.")
        _log.warning("relationship restored", relationship=relationship, by=by.id)
        return {"relationship": relationship, "service": service, "state": REGISTERED, "registrations": rows}

    def _service(self, relationship: str, registries: Registries) -> str:
        """Whose it is: by the documents, or as an owner remembers it."""
        for name, document in self._catalogue().documents.items():
            if any(one.name == relationship for one in document.relationships):
                return name
        for rows in registries.of(relationship).values():
            return str(rows[0]["service"])
        if registries.unknown:
            raise Unavailable(f"Nothing was done; try again. {_reasons(registries.unknown)}")
        raise NotFound(f"No service declares {relationship}, and no owner remembers it.")

    def _check_removable(self, relationship: str, registries: Registries) -> None:
        self._check_known(relationship, registries)
        removed = registries.removed()
        for one in unheld(self._catalogue().entities, removed, removed | self._pairs(relationship)):
            other = one.edge.relationship
            raise RelationshipNeeded(f"{other} rests on {relationship}: {one.why}. Remove {other} first.")

    def _check_restorable(self, relationship: str, registries: Registries) -> None:
        self._check_known(relationship, registries)
        removed = registries.removed()
        for one in unheld(self._catalogue().entities, removed, removed - self._pairs(relationship)):
            raise RelationshipNeeded(
                f"{one.edge.relationship} rests on another that is removed: {one.why}. Restore that first."
            )

    def _check_known(self, relationship: str, registries: Registries) -> None:
        """Whether those who can say what this one rests on, or what rests on it, have said so."""
        catalogue = self._catalogue()
        owners = {catalogue.owners.get(parent, "") for parent in partners(catalogue.entities, relationship)}
        waiting = {owner: reason for owner, reason in registries.unknown.items() if owner in owners}
        if waiting:
            raise Unavailable(f"Nothing was done; try again. {_reasons(waiting)}")

    def _pairs(self, relationship: str) -> set[tuple[str, str]]:
        declared = (one for document in self._catalogue().documents.values() for one in document.relationships)
        return {(one.name, one.parent) for one in declared if one.name == relationship}

    def _end_at(self) -> float:
        return asyncio.get_running_loop().time() + SHARE * self._timeout_s

    async def _child(self, service: str, step: str, relationship: str, end_at: float, **more: Any) -> dict[str, Any]:
        calls = self._calls.get(service)
        if calls is None:
            raise ServiceUnknown(
                f"{service} is not among SERVICES. If it is gone for good, remove the relationship with "
                "?serviceIsGone=true; nothing is asked of it then."
            )
        try:
            asked = {"relationship": relationship, **more}
            return json_object(await calls.post(PREFIX + step, asked, timeout_s=_step_s(end_at)))
        except NotSentError:
            raise Unavailable(
                f"The service {service} cannot be reached, and only it can close or open {relationship}: try again, "
                "or, if it is gone for good, remove the relationship with ?serviceIsGone=true."
            ) from None
        except UpstreamError as error:
            raise problem_of(error, service) from error

    async def _check_gone(self, service: str, end_at: float) -> None:
        """Any answer, and any connection that is taken, is a sign of life."""
        calls = self._calls.get(service)
        if calls is None:
            return
        try:
            await calls.post(PREFIX + "list", {}, timeout_s=_step_s(end_at))
        except NotSentError:
            return
        except UpstreamError as error:
            raise ServiceInUse(f"{service} takes connections: {error}. Stop it first.") from error
        raise ServiceInUse(f"{service} answers. Stop it first, or remove the relationship without serviceIsGone.")

    async def _at_owners(
        self,
        step: str,
        relationship: str,
        registries: Registries,
        end_at: float,
        *,
        number: int | None,
        gone: str | None = None,
    ) -> list[dict[str, Any]]:
        """At the owner of every parent, and at everyone who remembers the relationship, at once. Raises Unavailable if
        one of these can't be asked; the others have done it then. Who is meant by an undeclared relationship only the
        owners know, so all have to answer, except for the service that is gone."""
        declared = self._owners(relationship)
        wanted = {*declared, *registries.of(relationship)}
        waiting = {owner: reason for owner, reason in registries.unknown.items() if owner in wanted or not declared}
        asked = {"relationship": relationship, "number": number}

        async def one(owner: str) -> list[dict[str, Any]]:
            try:
                said = await self._calls[owner].post(PREFIX + step, asked, timeout_s=_step_s(end_at))
                return [{**row, "owner": owner} for row in read_rows(json_object(said))]
            except UpstreamError as error:
                waiting[owner] = f"{owner}: {error}"
                return []
            finally:
                self._registration.forget(owner)

        told = await asyncio.gather(*(one(owner) for owner in sorted(wanted - waiting.keys())))
        waiting.pop(gone or "", None)
        if waiting:
            raise Unavailable(
                f"{relationship} is not at its end: repeat the command when all answer. {_reasons(waiting)}"
            )
        return [row for rows in told for row in rows]

    def _owners(self, relationship: str) -> set[str]:
        """Of its parents, as they are declared now."""
        catalogue = self._catalogue()
        return {
            owner
            for document in catalogue.documents.values()
            for one in document.relationships
            if one.name == relationship and (owner := catalogue.owners.get(one.parent)) is not None
        }


def _step_s(end_at: float) -> float:
    """Half of the time that is left, so that the next step has some too."""
    return max(0.0, end_at - asyncio.get_running_loop().time()) / 2


def _number(said: Mapping[str, Any]) -> int:
    number = said.get("number")
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise Unavailable("The child's service does not say how often the relationship was closed; try again.")
    return number


def _reasons(unknown: Mapping[str, str]) -> str:
    return "; ".join(f"not asked: {reason}" for _, reason in sorted(unknown.items())) + "."
