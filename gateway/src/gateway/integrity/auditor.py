"""Begins audits, drives the parts that this gateway holds, and puts parts together for whoever asks. What is kept is
kept by the services: any gateway answers for any audit."""

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from gateway.catalogue import Catalogue
from gateway.integrity.calls import NOT_ASKED_FOR, AuditCalls, NotAnsweredError
from gateway.integrity.merge import Head, heads_of, is_whole, merged, summaries
from gateway.integrity.part import Ensure, Part
from gateway.integrity.plan import Planned, planned_of
from kit.identity import Caller
from kit.ids import new_id
from kit.problems import FieldError, IdempotencyMismatch, InvalidRequest, NotFound, Unavailable

PARTS_MAX: Final = 64
"""Driven here at a time; what is more is refused, or left to other gateways."""
_log = structlog.get_logger("gateway.integrity")


@dataclass(frozen=True, slots=True)
class Begun:
    """`is_replayed` tells that an earlier request with the same key began it."""

    audit_id: str
    is_replayed: bool


class Auditor:
    """Services are asked to begin for `begin_s`: an audit is begun without those that have not answered by then."""

    def __init__(
        self,
        calls: AuditCalls,
        ensure: Ensure,
        catalogue: Callable[[], Catalogue],
        *,
        begin_s: float,
        recheck_s: float,
        beat_s: float,
    ) -> None:
        self._calls = calls
        self._begin_s = begin_s
        self._ensure = ensure
        self._catalogue = catalogue
        self._recheck_s = recheck_s
        self._beat_s = beat_s
        self.holder = new_id()
        self._parts: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def begin(self, names: Sequence[str] | None, caller: Caller, key: str | None) -> Begun:
        """It goes on by itself. With an Idempotency-Key the same audit is begun once: not at all while a service that
        may know of it can't be asked. Raises InvalidRequest, IdempotencyMismatch, Unavailable."""
        audit_id = _id_of(caller, key)
        asked = sorted(set(names or ()))
        if key is not None and await self._is_known(audit_id, asked):
            return Begun(audit_id, is_replayed=True)
        catalogue = self._catalogue()
        planned = _narrowed(planned_of(catalogue), names)
        if len(self._parts) >= PARTS_MAX:
            raise Unavailable("This gateway drives as many audits as it can; try again when one has ended.")
        said = [one.body() for one in planned]
        services = sorted({one.service for one in planned} if names is not None else catalogue.documents)
        if not services:
            raise Unavailable("No service's document is known yet.")
        head = {
            "auditId": audit_id,
            "asked": asked,
            "planned": said,
            "services": services,
            "unknown": [] if names is not None else list(catalogue.missing),
            "startedBy": caller.id or "",
            "holder": self.holder,
        }
        begun = await self._begin(head, services)
        mine = [service for service, is_new in begun.items() if is_new]
        if key is not None:
            await self._check_alone(audit_id, asked, mine)
        _log.info("audit begun", audit=audit_id, by=caller.id, relationships=len(said), services=mine)
        for service in mine:
            self.drive(audit_id, service, said, beat=0)
        return Begun(audit_id, is_replayed=key is not None and not mine)

    def drive(self, audit_id: str, service: str, said: Sequence[Mapping[str, Any]], *, beat: int) -> None:
        """In a task of its own."""
        part = Part(
            audit_id,
            service,
            said,
            beat=beat,
            holder=self.holder,
            calls=self._calls,
            ensure=self._ensure,
            catalogue=self._catalogue(),
            recheck_s=self._recheck_s,
            beat_s=self._beat_s,
        )
        key = (audit_id, service)
        task = asyncio.create_task(part.run(), name=f"audit {audit_id} of {service}")
        self._parts[key] = task
        task.add_done_callback(lambda _: self._parts.pop(key, None))

    def drives(self, audit_id: str, service: str) -> bool:
        return (audit_id, service) in self._parts

    @property
    def has_room(self) -> bool:
        return len(self._parts) < PARTS_MAX

    async def read(self, audit_id: str) -> dict[str, Any]:
        """Raises NotFound, and Unavailable if those that may know of it can't be asked."""
        heads, unreachable = await self._find(audit_id, self._calls)
        if heads:
            return merged(audit_id, heads, unreachable)
        raise NotFound("There is no such audit; the last fifty are kept.")

    async def check_there(self, audit_id: str, *, by: float) -> None:
        """Whether a service has said by then, in the event loop's time, that it knows the audit. Raises as `read`."""
        heads, _ = await self._find(audit_id, self._calls.until(by))
        if not heads:
            raise NotFound("There is no such audit; the last fifty are kept.")

    async def latest(self, limit: int) -> dict[str, Any]:
        answers, unreachable = await self._calls.ask_all("records/latest", {"limit": limit})
        if not answers:
            raise Unavailable("No service can be asked for its audits now.")
        return {
            "items": summaries({service: heads_of(one) for service, one in answers.items()}, limit),
            "nextCursor": None,
            "unreachable": [{"service": name, "reason": reason} for name, reason in sorted(unreachable.items())],
        }

    async def stop(self) -> None:
        """What runs is left to other gateways' sweepers, or to this one's after its restart."""
        tasks = list(self._parts.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin(self, head: Mapping[str, Any], services: Sequence[str]) -> dict[str, bool]:
        """Which services know it now, and of which it is new there. Raises Unavailable if none can be asked."""
        calls = self._calls.until(asyncio.get_running_loop().time() + self._begin_s)
        outcomes = await asyncio.gather(
            *(calls.ask(service, "records/begin", head, tries=2) for service in services), return_exceptions=True
        )
        begun: dict[str, bool] = {}
        for service, outcome in zip(services, outcomes, strict=True):
            if isinstance(outcome, NotAnsweredError):
                _log.warning("not audited", of=service, reason=str(outcome))
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                begun[service] = bool(outcome.get("isNew"))
        if not begun:
            raise Unavailable(f"None of the services can be asked now: {', '.join(services)}.")
        return begun

    async def _find(self, audit_id: str, calls: AuditCalls) -> tuple[dict[str, Head], dict[str, str]]:
        """Its parts by service, and why the others can't be asked. Raises Unavailable if no part was found and somebody
        could not be asked."""
        answers, unreachable = await calls.ask_all("records/read", {"auditId": audit_id})
        found = {service: one["audit"] for service, one in answers.items() if one.get("audit") is not None}
        heads: dict[str, Head] = {service: one for service, one in found.items() if is_whole(one)}
        unreachable |= dict.fromkeys(found.keys() - heads.keys(), NOT_ASKED_FOR)
        if unreachable and not heads:
            raise Unavailable(f"It is not known where the audit is; not asked: {', '.join(sorted(unreachable))}.")
        return heads, unreachable

    async def _is_known(self, audit_id: str, asked: Sequence[str]) -> bool:
        """Whether the audit of a key was begun, with this request's body. Raises IdempotencyMismatch, and Unavailable
        if that is not known."""
        heads, _ = await self._find(audit_id, self._calls)
        self._check_same(heads, asked)
        return bool(heads)

    async def _check_alone(self, audit_id: str, asked: Sequence[str], mine: Sequence[str]) -> None:
        """Another request may have used the key at the same moment. With another body both are refused, whichever part
        each of them began, and what was begun here (`mine`) is ended. Raises IdempotencyMismatch."""
        heads, _ = await self._find(audit_id, self._calls)
        try:
            self._check_same(heads, asked)
        except IdempotencyMismatch:
            body = {"auditId": audit_id, "reason": "its Idempotency-Key was used for another audit at the same time"}
            ended = (self._calls.ask(service, "records/finish", body, tries=1) for service in mine)
            await asyncio.gather(*ended, return_exceptions=True)
            raise

    def _check_same(self, heads: Mapping[str, Head], asked: Sequence[str]) -> None:
        """By what the client asked for, not by what that comes to now: a retry may be later than a deploy. A record of
        an older version says only what it came to. Raises IdempotencyMismatch."""
        names = set(asked) or {one.relationship.name for one in planned_of(self._catalogue())}
        for head in heads.values():
            theirs = head.get("asked")
            is_same = {one["relationship"] for one in head["planned"]} == names if theirs is None else theirs == asked
            if not is_same:
                raise IdempotencyMismatch("The audit of this Idempotency-Key is of other relationships.")


def _narrowed(planned: Sequence[Planned], names: Sequence[str] | None) -> list[Planned]:
    if names is None:
        return list(planned)
    known = {one.relationship.name for one in planned}
    errors = [
        FieldError(f"/relationships/{place}", "unknown-relationship", "No service declares it; see GET /v1/references.")
        for place, name in enumerate(names)
        if name not in known
    ]
    if errors:
        raise InvalidRequest("Not every relationship is known.", errors=errors)
    return [one for one in planned if one.relationship.name in names]


def _id_of(caller: Caller, key: str | None) -> str:
    """Made of the key where there is one, so that a repeated request begins nothing anew on any gateway."""
    if key is None:
        return new_id()
    digest = bytearray(hashlib.sha256(f"{caller.id}\0{key}".encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x70
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))
