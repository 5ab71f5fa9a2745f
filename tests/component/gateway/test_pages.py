"""The gateway's own pages: health, metrics, the merged document, the page that shows it; and the log."""

import json
import re
from typing import Any

import pytest
from api import problem
from structlog.testing import capture_logs
from stub_platform import ACCOUNT, BOT, UNKNOWN

from gateway import access_log

pytestmark = pytest.mark.anyio
CREATE = {"exchangeAccountId": ACCOUNT, "marketPair": "BTC/USDT", "name": "grid"}


async def test_gateway_is_live(alice: Any) -> None:
    answer = await alice.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


async def test_own_pages_are_only_read(alice: Any) -> None:
    answer = await alice.post("/health/live")
    assert answer.headers["allow"] == "GET, HEAD"
    problem(answer, 405, "method-not-allowed")
    assert (await alice.head("/openapi.json")).content == b""


async def test_metrics_count_requests_by_route_and_references_by_outcome(platform: Any, alice: Any) -> None:
    await alice.get(f"/v1/bots/{BOT}")
    await alice.get("/v1/nothing/at/all")
    for _ in range(2):
        await alice.post("/v1/bots", json=CREATE)
    await alice.post("/v1/bots", json={**CREATE, "exchangeAccountId": UNKNOWN})
    await platform.bots.stop()
    await alice.get("/v1/bots")
    text = (await alice.get("/metrics")).text
    assert 'http_requests_total{method="GET",route="/v1/bots/{botId}",status="200"} 1.0' in text
    assert 'http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'http_problems_total{code="reference-not-found"} 1.0' in text
    assert 'reference_validations_total{outcome="kept",parent="users"} 2.0' in text
    assert 'reference_validations_total{outcome="missing",parent="exchange_accounts"} 1.0' in text
    assert 'upstream_failures_total{kind="NotSentError",service="bots"} 1.0' in text
    assert "http_requests_in_flight 1.0" in text
    assert BOT not in text


async def test_merged_document_has_every_public_operation_and_no_internal_path(alice: Any) -> None:
    answer = await alice.get("/openapi.json")
    document = answer.json()
    assert {"/v1/users", "/v1/bots", "/v1/bots/{botId}/start", "/.well-known/jwks.json"} <= set(document["paths"])
    assert not [path for path in document["paths"] if path.startswith(("/internal", "/metrics", "/health"))]
    assert list(document["components"]["securitySchemes"]) == ["bearer"]
    assert document["security"] == [{"bearer": []}]
    assert document["paths"]["/v1/users"]["post"]["security"] == []
    assert document["paths"]["/v1/bots"]["post"]["tags"] == ["bots"]
    assert document["x-entities"]["users"]["service"] == "users"


async def test_merged_document_is_sent_once_until_it_changes(platform: Any, alice: Any, eventually: Any) -> None:
    first = await alice.get("/openapi.json")
    tag = {"if-none-match": first.headers["etag"]}
    again = await alice.get("/openapi.json", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    platform.bots.document["paths"]["/v1/fresh"] = {"get": {"operationId": "fresh"}}

    async def changed() -> bool:
        answer = await alice.get("/openapi.json", headers=tag)
        return bool(answer.status_code == 200 and "/v1/fresh" in answer.json()["paths"])

    await eventually(changed)


async def test_docs_page_asks_nobody_but_the_gateway(alice: Any) -> None:
    page = await alice.get("/docs")
    policy = page.headers["content-security-policy"]
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for link in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        if not link.startswith("data:"):
            assert link.startswith("/")
            assert (await alice.get(link)).status_code == 200
    script = (await alice.get("/docs/docs.js")).text
    assert "http://" not in script
    assert "https://" not in script
    assert "innerHTML" not in script


async def test_refusals_of_the_gateway_name_request_and_path_without_the_query(alice: Any) -> None:
    answer = await alice.get("/v1/nothing?secret=1", headers={"x-request-id": "r-1"})
    document = problem(answer, 404, "not-found")
    assert (document["instance"], document["requestId"]) == ("/v1/nothing", "r-1")
    assert answer.headers["x-request-id"] == "r-1"


async def test_each_request_is_one_line_without_query_body_or_token(
    platform: Any, alice: Any, monkeypatch: Any
) -> None:
    with capture_logs() as lines:
        monkeypatch.setattr(access_log, "_log", access_log._log.bind())
        await alice.post("/v1/bots?x=secret-query", json={**CREATE, "name": "secret-body"})
        await alice.get("/health/live")
    said = [line for line in lines if line["event"] == "request" and line["log_level"] != "debug"]
    [line] = said
    assert (line["method"], line["path"], line["route"], line["status"], line["to"]) == (
        "POST",
        "/v1/bots",
        "/v1/bots",
        200,
        "bots",
    )
    assert "secret" not in json.dumps(lines, default=str)
    assert platform.token()[:20] not in json.dumps(lines, default=str)
