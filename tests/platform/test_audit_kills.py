"""An audit goes on when the gateway that drives it is killed, or a service that keeps a part of it."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from api import UNKNOWN_ID, Api, sign_in
from direct_store import DirectStore
from platforms import Platform, start_platform
from processes import until

from kit.ids import new_id

AUDITS = "/v1/integrity/audits"
EVENTS = "bot_events.botId"


@pytest.fixture
def platform() -> Iterator[Platform]:
    """Two gateways, impatient with each other, and a part without its aggregate."""
    impatient = {"AUDIT_RECHECK_S": "2", "AUDIT_IDLE_S": "1", "AUDIT_SWEEP_INTERVAL_S": "0.3"}
    running = start_platform("embedded", GATEWAY_REPLICAS="2", **impatient)
    try:
        DirectStore(running, "bots").insert("bot_events", {"_id": new_id(), "botId": UNKNOWN_ID})
        yield running
    finally:
        running.stop()


@pytest.mark.parametrize("victim", ["gateway.1", "bots"])
def test_audit_outlives_a_kill(platform: Platform, victim: str) -> None:
    first = sign_in(platform.base_url, platform.admin_email, platform.admin_password)
    port = int(platform.base_url.rpartition(":")[2])
    second = Api(platform.base_url.replace(str(port), str(port + 10)), token=first.token)
    begun = first.made(AUDITS, {})["auditId"]
    running: Any = platform.running
    os.kill(running.state.pids[victim], signal.SIGKILL)

    def read() -> dict[str, Any]:
        answer = second.get(f"{AUDITS}/{begun}")
        found: dict[str, Any] = answer.json() if answer.is_success else {"state": "unknown", "unreachable": []}
        return found

    until(lambda: read()["state"] == "done" and not read()["unreachable"], "the audit did not end", 40)
    audit = read()
    assert audit["orphanCount"] == 1, audit
    if victim == "gateway.1":
        assert audit["isComplete"], [one for one in audit["relationships"] if not one["isComplete"]]
