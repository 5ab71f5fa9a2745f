"""Audits and repairs as the gateway runs them: operations for its own pages, and a sweeper beside them."""

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry

from gateway.catalogue import Catalogue
from gateway.integrity.auditor import Auditor
from gateway.integrity.calls import AuditCalls
from gateway.integrity.metrics import IntegrityMetrics
from gateway.integrity.pages import IntegrityPages
from gateway.integrity.part import Ensure
from gateway.integrity.repairer import Repairer
from gateway.integrity.sweeper import AuditSweeper
from gateway.internal import InternalCalls
from gateway.own_api import OwnOperation
from gateway.settings import GatewaySettings
from kit.identity import Caller
from kit.workers import Worker

BEGIN_SHARE: Final = 0.6
"""Of a request's time."""
BEATS_MISSED: Final = 5
"""A part is taken over when so many signs of life in a row did not come."""


class Integrity:
    """`ensure` tells an owner of its relationships, `begin_delete` goes on with a deletion that a repair began."""

    def __init__(
        self,
        calls: Mapping[str, InternalCalls],
        catalogue: Callable[[], Catalogue],
        settings: GatewaySettings,
        registry: CollectorRegistry,
        *,
        ensure: Ensure,
        begin_delete: Callable[[str, Caller], object],
    ) -> None:
        asked = AuditCalls(calls)
        idle_s = settings.audit_idle_s
        self.auditor = Auditor(
            asked,
            ensure,
            catalogue,
            begin_s=BEGIN_SHARE * settings.request_timeout_s,
            recheck_s=settings.audit_recheck_s,
            beat_s=idle_s / BEATS_MISSED,
        )
        self.sweeper = AuditSweeper(
            self.auditor,
            asked,
            IntegrityMetrics(registry),
            idle_s=idle_s,
        )
        self.worker = Worker("audits sweeper", settings.audit_sweep_interval_s, self.sweeper.sweep)
        repairer = Repairer(asked, catalogue, begin_delete, timeout_s=settings.request_timeout_s)
        self._pages = IntegrityPages(self.auditor, repairer)

    def operations(self) -> list[OwnOperation]:
        return self._pages.operations()

    async def stop(self) -> None:
        await self.auditor.stop()
