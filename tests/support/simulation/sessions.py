"""Causally consistent sessions, as kit uses them."""

from typing import Any

from bson import Timestamp


class SimulatedSession:
    """A causally consistent session: it asks for no less than it has seen."""

    def __init__(self) -> None:
        self.seen = 0

    def saw(self, moment: int) -> None:
        self.seen = max(self.seen, moment)

    @property
    def operation_time(self) -> Timestamp | None:
        return Timestamp(self.seen, 1) if self.seen else None

    @property
    def cluster_time(self) -> dict[str, Any] | None:
        return {"clusterTime": Timestamp(self.seen, 1)} if self.seen else None

    def advance_cluster_time(self, cluster_time: Any) -> None:
        """The nodes gossip it; it says nothing of what was seen."""

    def advance_operation_time(self, operation_time: Timestamp) -> None:
        self.saw(operation_time.time)

    async def __aenter__(self) -> "SimulatedSession":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None
