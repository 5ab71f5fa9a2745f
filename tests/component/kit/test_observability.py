"""One log line and one count per request, with its id and trace, and never a body or a secret."""

import re
from typing import Any

import pytest
import structlog
from gateway_stand_in import Client, GatewayStandIn
from notes_service import USER
from structlog.testing import LogCapture

from kit.logs import describe_exception

pytestmark = pytest.mark.anyio
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def log() -> Any:
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[capture], cache_logger_on_first_use=False)
    yield capture
    structlog.configure(**before)


def lines(log: LogCapture, path: str) -> list[Any]:
    return [entry for entry in log.entries if entry["event"] == "request" and entry["path"] == path]


async def test_one_line_per_request_says_who_what_and_how_long(log: LogCapture, user: Client) -> None:
    await user.post("/v1/notes", json={"title": "hunter2", "body": "hunter2"}, headers={"traceparent": PARENT})
    (line,) = lines(log, "/v1/notes")
    assert (line["method"], line["route"], line["status"], line["caller"]) == ("POST", "/v1/notes", 201, USER)
    assert line["duration_ms"] >= 0
    assert line["log_level"] == "info"
    assert "hunter2" not in str(log.entries)


async def test_refusal_is_at_info_with_its_code_and_without_what_was_sent(log: LogCapture, user: Client) -> None:
    await user.post("/v1/notes?token=hunter2", json={"title": "hunter2" * 20})
    (line,) = lines(log, "/v1/notes")
    assert (line["status"], line["code"], line["log_level"]) == (422, "invalid-request", "info")
    assert "hunter2" not in str(log.entries)


async def test_bug_is_at_error_with_its_stack(log: LogCapture, user: Client) -> None:
    await user.post("/v1/notes/broken")
    (line,) = lines(log, "/v1/notes/broken")
    assert line["log_level"] == "error"
    (bug,) = [entry for entry in log.entries if entry["event"] == "unhandled error"]
    (described,) = describe_exception(bug["exc_info"])
    assert described["frames"][-1].endswith("break_note")


async def test_credential_of_the_gateway_is_not_logged(log: LogCapture, user: Client, gateway: GatewayStandIn) -> None:
    await user.get("/v1/notes")
    await gateway.bare("GET", "/v1/notes", headers={"X-Omnitrade-Context": "hunter2"})
    assert "eyJ" not in str(log.entries)
    assert "hunter2" not in str(log.entries)


async def test_line_of_a_request_from_elsewhere_says_why_it_was_refused(
    log: LogCapture, gateway: GatewayStandIn
) -> None:
    await gateway.bare("GET", "/v1/notes")
    (line,) = [entry for entry in log.entries if entry.get("path") == "/v1/notes"]
    assert (line["status"], line["code"], line["reason"]) == (401, "unauthenticated", "missing")


async def test_probes_are_logged_for_debugging_only(log: LogCapture, gateway: GatewayStandIn) -> None:
    await gateway.bare("GET", "/health/live")
    assert [line["log_level"] for line in lines(log, "/health/live")] == ["debug"]


async def test_requests_are_counted_by_route_and_status(user: Client, gateway: GatewayStandIn) -> None:
    note_id = (await user.post("/v1/notes", json={"title": "a"})).json()["noteId"]
    for _ in range(3):
        await user.get(f"/v1/notes/{note_id}")
    await user.get("/v1/notes/x")
    await user.get("/v1/no/such/path")
    text = (await gateway.bare("GET", "/metrics")).text
    assert 'http_requests_total{method="GET",route="/v1/notes/{noteId}",status="200"} 3.0' in text
    assert 'http_requests_total{method="GET",route="/v1/notes/{noteId}",status="422"} 1.0' in text
    assert 'http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'http_problems_total{code="invalid-request"} 1.0' in text
    assert re.search(r'duration_seconds_count\{method="GET",route="/v1/notes/\{noteId\}"\} 4.0', text)
    assert note_id not in text
