"""Finds parts of audits that nobody goes on with, and goes on; and learns the figures of the last audits, so that every
gateway shows them."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from gateway.integrity.auditor import Auditor
from gateway.integrity.calls import AuditCalls, NotAnsweredError
from gateway.integrity.metrics import IntegrityMetrics

_log = structlog.get_logger("gateway.integrity")


class AuditSweeper:
    """A part is taken over if its beat stood still for `idle_s`, by this process's own monotonic clock."""

    def __init__(
        self,
        auditor: Auditor,
        calls: AuditCalls,
        metrics: IntegrityMetrics,
        *,
        idle_s: float,
        interval_s: float,
    ) -> None:
        self._auditor = auditor
        self._calls = calls
        self._metrics = metrics
        self._idle_s = idle_s
        self._interval_s = interval_s
        self._seen: dict[tuple[str, str], tuple[int, float]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="audits sweeper")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> None:
        """One look at every service."""
        now = asyncio.get_running_loop().time()
        still: dict[tuple[str, str], tuple[int, float]] = {}
        answers, _ = await self._calls.ask_all("records/running")
        for service, answer in answers.items():
            self._metrics.learn(answer.get("figures", []))
            for head in answer.get("audits", []):
                await self._look_at(service, head, now, still)
        self._seen = still

    async def _look_at(
        self, service: str, head: Mapping[str, Any], now: float, still: dict[tuple[str, str], tuple[int, float]]
    ) -> None:
        key, beat = (str(head["auditId"]), service), int(head["beat"])
        known_beat, since = self._seen.get(key, (beat, now))
        still[key] = (beat, since if beat == known_beat else now)
        idle_s = now - still[key][1]
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

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.sweep()
            except Exception:  # noqa: BLE001 (one bad sweep must not end them)
                _log.exception("sweep of audits failed")
