"""Finds parts of audits that nobody goes on with, and goes on; and learns the figures of the last audits, so that every
gateway shows them."""

import structlog

from gateway.beats import Beats
from gateway.integrity.auditor import Auditor
from gateway.integrity.calls import AuditCalls, NotAnsweredError
from gateway.integrity.merge import Head, heads_of, is_planned
from gateway.integrity.metrics import IntegrityMetrics

_log = structlog.get_logger("gateway.integrity")


class AuditSweeper:
    """A part is taken over if its beat stood still for `idle_s`."""

    def __init__(
        self,
        auditor: Auditor,
        calls: AuditCalls,
        metrics: IntegrityMetrics,
        *,
        idle_s: float,
    ) -> None:
        self._auditor = auditor
        self._calls = calls
        self._metrics = metrics
        self._idle_s = idle_s
        self._beats: Beats[tuple[str, str]] = Beats()

    async def sweep(self) -> None:
        """One look at every service."""
        answers, _ = await self._calls.ask_all("records/running")
        for service, answer in answers.items():
            self._metrics.learn(answer.get("figures"))
            for head in filter(is_planned, heads_of(answer)):
                try:
                    await self._look_at(service, head)
                except Exception:  # noqa: BLE001 (a bug that one part meets must not keep the others from being driven)
                    _log.exception("part not looked at", audit=head["auditId"], of=service)
        self._beats.forget_others()

    async def _look_at(self, service: str, head: Head) -> None:
        key, beat = (head["auditId"], service), head["beat"]
        idle_s = self._beats.idle_s(key, beat)
        if idle_s < self._idle_s or self._auditor.drives(*key) or not self._auditor.has_room:
            return
        body = {"auditId": key[0], "beat": beat, "holder": self._auditor.holder}
        try:
            answer = await self._calls.ask(service, "records/beat", body, tries=1)
        except NotAnsweredError:
            return
        if answer.get("isHeld"):
            _log.info("audit taken over", audit=key[0], of=service, idle_s=round(idle_s, 1))
            self._auditor.drive(*key, head["planned"], beat=beat + 1)
