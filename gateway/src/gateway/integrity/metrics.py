"""What the last audits found, per relationship, as every gateway's sweeper learns it from the services."""

import asyncio
from functools import partial
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge

_LABELS: Final = ("relationship", "parent")


class IntegrityMetrics:
    """The age grows by this process's monotonic clock since it was learnt."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._orphans = Gauge(
            "reference_orphans", "Orphans that the last whole audit of the relationship found.", _LABELS,
            registry=registry,
        )  # fmt: skip
        self._children = Gauge(
            "reference_children_read", "Children that the last whole audit of the relationship read.", _LABELS,
            registry=registry,
        )  # fmt: skip
        self._age = Gauge(
            "reference_audit_age_seconds", "Since the last whole audit of the relationship ended.", _LABELS,
            registry=registry,
        )  # fmt: skip
        self._checked_at: dict[tuple[str, str], float] = {}

    def learn(self, figures: Any) -> None:
        """As a service lists them; what makes no sense is left out."""
        now = asyncio.get_running_loop().time()
        for one in filter(_is_figure, figures if isinstance(figures, list) else ()):
            labels = (one["relationship"], one["parent"])
            self._orphans.labels(*labels).set(one["orphanCount"])
            self._children.labels(*labels).set(one["childrenRead"])
            is_new = labels not in self._checked_at
            self._checked_at[labels] = now - one["ageS"]
            if is_new:
                self._age.labels(*labels).set_function(partial(self._age_s, labels))

    def _age_s(self, labels: tuple[str, str]) -> float:
        """Read by whoever renders the metrics, in the event loop."""
        return asyncio.get_running_loop().time() - self._checked_at[labels]


def _is_figure(said: Any) -> bool:
    return (
        isinstance(said, dict)
        and all(isinstance(said.get(name), str) for name in _LABELS)
        and all(isinstance(said.get(name), int | float) for name in ("orphanCount", "childrenRead", "ageS"))
    )
