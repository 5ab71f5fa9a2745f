"""Deletes as the gateway runs them: a door for requests, a page to follow them, and a sweeper beside them."""

from collections.abc import Callable, Mapping

from gateway.catalogue import Catalogue
from gateway.deletion.calls import DeletionCalls
from gateway.deletion.coordinator import Coordinator
from gateway.deletion.door import Complete, DeleteDoor
from gateway.deletion.page import DeletionPage
from gateway.deletion.patience import Patience
from gateway.deletion.sweeper import Sweeper
from gateway.internal import InternalCalls
from gateway.metrics import GatewayMetrics
from gateway.settings import GatewaySettings
from kit.workers import Worker


class Deletion:
    """`complete` sees to it that an owner knows of all that may refer to an entity of its own."""

    def __init__(
        self,
        calls: Mapping[str, InternalCalls],
        catalogue: Callable[[], Catalogue],
        settings: GatewaySettings,
        metrics: GatewayMetrics,
        *,
        complete: Complete,
    ) -> None:
        deletion_calls = DeletionCalls(calls, timeout_s=settings.delete_step_timeout_s)
        self.patience = Patience()
        self.coordinator = Coordinator(deletion_calls, catalogue, self.patience)
        self.sweeper = Sweeper(
            self.coordinator,
            deletion_calls,
            lambda: tuple(calls),
            idle_s=settings.delete_idle_s,
            observe=metrics.deletions_found,
        )
        self.worker = Worker("deletions sweeper", settings.delete_sweep_interval_s, self.sweeper.sweep)
        self.page = DeletionPage(calls, timeout_s=settings.request_timeout_s)
        self.door = DeleteDoor(
            calls,
            deletion_calls,
            self.coordinator,
            self.page,
            self.patience,
            complete=complete,
            wait_s=settings.delete_wait_s,
        )

    async def stop(self) -> None:
        await self.coordinator.stop()
