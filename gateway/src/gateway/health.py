"""Whether the gateway can do its work: which services it has documents of, and what is wrong with the others."""

from typing import Any

from gateway.discovery import Discovery


class Readiness:
    """Ready when every service's document is in. A service that stays away must not keep the others from being
    served: after `grace_s` one good document is enough, and the answer says that it is degraded."""

    def __init__(self, discovery: Discovery, *, grace_s: float) -> None:
        self._discovery = discovery
        self._grace_s = grace_s
        self._started_at: float | None = None

    def start(self, now: float) -> None:
        self._started_at = now

    def state(self, now: float) -> tuple[int, dict[str, Any]]:
        """The status and the document of /health/ready. `now` is in the event loop's time."""
        catalogue = self._discovery.assembly.catalogue
        if not catalogue.missing:
            status, word = 200, "ready"
        elif catalogue.documents and self._started_at is not None and now - self._started_at >= self._grace_s:
            status, word = 200, "degraded"
        else:
            status, word = 503, "not-ready"
        return status, {"status": word, "services": {name: self._service(name) for name in self._discovery.states}}

    def _service(self, name: str) -> dict[str, Any]:
        """`document` is the one in use; `reason` says why the last reading gave no good one."""
        state = self._discovery.states[name]
        document = self._discovery.assembly.catalogue.documents.get(name)
        if document is None:
            said: dict[str, Any] = {"document": "refused" if name in self._discovery.assembly.refused else "missing"}
        else:
            said = {"document": "accepted", "digest": document.digest[:16], "operations": len(document.operations)}
        if state.problem is not None:
            said["reason"] = state.problem
        if state.checked_at is not None:
            said["checkedAt"] = state.checked_at
        return said
