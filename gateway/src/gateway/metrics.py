"""The gateway's metrics: those of every process, and what it does between client and services."""

from importlib.metadata import version
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from kit.telemetry import Metrics

VERSION: Final = version("omnitrade-gateway")
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class GatewayMetrics(Metrics):
    """In a registry of its own, so that two gateways in one process don't meet."""

    def __init__(self) -> None:
        super().__init__("gateway", VERSION)
        self._validations = Counter(
            "reference_validations",
            "References by parent and outcome; kept ones were answered from memory.",
            ["parent", "outcome"],
            registry=self.registry,
        )
        self.validation_batches = Histogram(
            "reference_validation_batch_size",
            "Questions per call to an owner.",
            buckets=_SIZES,
            registry=self.registry,
        )
        self._failures = Counter(
            "upstream_failures", "Requests without an answer, by service and kind.", ["service", "kind"],
            registry=self.registry,
        )  # fmt: skip
        self._documents = Gauge(
            "service_document_good",
            "Whether the last reading of a service's document gave a good one.",
            ["service"],
            registry=self.registry,
        )
        self._deletions = Gauge(
            "deletions_unfinished",
            "Deletes that somebody has to go on with, by the service that keeps them.",
            ["service"],
            registry=self.registry,
        )
        self._validation_children: dict[tuple[str, str], Counter] = {}

    def validated(self, parent: str, outcome: str) -> None:
        child = self._validation_children.get((parent, outcome))
        if child is None:
            child = self._validation_children[parent, outcome] = self._validations.labels(parent, outcome)
        child.inc()

    def upstream_failed(self, service: str, kind: str) -> None:
        self._failures.labels(service, kind).inc()

    def deletions_found(self, service: str, count: int) -> None:
        self._deletions.labels(service).set(count)

    def document_read(self, service: str, *, good: bool) -> None:
        self._documents.labels(service).set(1 if good else 0)
