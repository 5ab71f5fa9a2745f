import pytest

from kit.telemetry import Metrics, Trace, current_trace, outgoing_headers, read_request_id, read_trace

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


def test_good_request_id_is_kept() -> None:
    assert read_request_id("abc-123") == "abc-123"


@pytest.mark.parametrize("header", [None, "", "a b", "x" * 129, "new\nline", '{"a":1}', "é"])
def test_other_request_ids_are_replaced(header: str | None) -> None:
    made = read_request_id(header)
    assert made != header
    assert len(made) == 36


def test_trace_goes_on_with_a_span_of_its_own() -> None:
    trace = read_trace("r1", PARENT, "vendor=1")
    headers = outgoing_headers(trace)
    version, trace_id, span_id, flags = headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE_ID, "01")
    assert span_id != "00f067aa0ba902b7"
    assert len(span_id) == 16
    assert (headers["X-Request-Id"], headers["tracestate"]) == ("r1", "vendor=1")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"ff-{TRACE_ID}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE_ID}-00f067aa0ba902b7",
    ],
)
def test_malformed_trace_is_no_trace(header: str | None) -> None:
    assert read_trace("r1", header) == Trace("r1")
    assert outgoing_headers(Trace("r1")) == {"X-Request-Id": "r1"}


def test_call_outside_of_a_request_has_no_headers_and_inside_those_of_the_request() -> None:
    assert outgoing_headers() == {}
    token = current_trace.set(Trace("r9"))
    try:
        assert outgoing_headers() == {"X-Request-Id": "r9"}
    finally:
        current_trace.reset(token)


def test_apps_in_one_process_count_for_themselves() -> None:
    bots, users = Metrics("bots", "1.0"), Metrics("users", "2.0")
    bots.request_done("GET", "/v1/bots/{botId}", 200, 0.003, None)
    bots.request_done("GET", "/v1/bots/{botId}", 404, 0.001, "not-found")
    bots.request_done("BREW", "unmatched", 405, 0.001, "method-not-allowed")
    text = bots.exposition().decode()
    assert 'http_requests_total{method="GET",route="/v1/bots/{botId}",status="200"} 1.0' in text
    assert 'http_request_duration_seconds_count{method="GET",route="/v1/bots/{botId}"} 2.0' in text
    assert 'http_problems_total{code="not-found"} 1.0' in text
    assert 'http_requests_total{method="other",route="unmatched",status="405"} 1.0' in text
    assert 'build_info{service="bots",version="1.0"} 1.0' in text
    assert "process_resident_memory_bytes" in text
    assert "not-found" not in users.exposition().decode()
