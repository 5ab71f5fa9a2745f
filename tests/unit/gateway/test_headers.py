"""Headers that cross the gateway, and those that end there."""

import pytest

from gateway.headers import RequestHeaders, answer_headers
from kit.problems import InvalidRequest, Unauthenticated

ENDS_HERE = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "expect",
    "authorization",
    "x-api-key",
    "cookie",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-omnitrade-context",
    "x-omnitrade-anything",
    "x-request-id",
    "traceparent",
    "tracestate",
]
CROSSES = [
    "accept",
    "accept-encoding",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "user-agent",
    "x-y",
]


@pytest.mark.parametrize("name", ENDS_HERE)
def test_header_ends_at_the_gateway(name: str) -> None:
    assert RequestHeaders([(name.encode(), b"1"), (b"accept", b"a")]).passed_on == [("accept", "a")]


@pytest.mark.parametrize("name", CROSSES)
def test_header_crosses_as_often_as_it_stands(name: str) -> None:
    assert RequestHeaders([(name.encode(), b"1")]).passed_on == [(name, "1")]
    if name != "idempotency-key":
        assert RequestHeaders([(name.encode(), b"1")] * 2).passed_on == [(name, "1")] * 2


def test_headers_that_connection_names_end_too_but_not_those_that_a_service_needs() -> None:
    headers = RequestHeaders(
        [(b"connection", b"keep-alive, X-Hop, idempotency-key"), (b"x-hop", b"1"), (b"idempotency-key", b"k")]
    )
    assert headers.passed_on == [("idempotency-key", "k")]


@pytest.mark.parametrize(
    ("name", "problem"),
    [(b"authorization", Unauthenticated), (b"content-length", InvalidRequest), (b"idempotency-key", InvalidRequest)],
)
def test_header_that_decides_something_may_stand_once(name: bytes, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        RequestHeaders([(name, b"1"), (name, b"2")])


@pytest.mark.parametrize("name", [b"prefer", b"if-match", b"if-none-match", b"tracestate"])
def test_lines_of_a_list_are_read_as_one(name: bytes) -> None:
    assert RequestHeaders([(name, b"a"), (b"accept", b"x"), (name, b"b")]).text(name) == "a, b"


def test_headers_end_that_any_line_of_connection_names() -> None:
    headers = RequestHeaders([(b"connection", b"X-Hop"), (b"connection", b"keep-alive"), (b"x-hop", b"1")])
    assert headers.passed_on == []


@pytest.mark.parametrize(
    ("headers", "has_body", "length"),
    [
        ([], False, None),
        ([(b"content-length", b"0")], False, 0),
        ([(b"content-length", b"5")], True, 5),
        ([(b"transfer-encoding", b"chunked")], True, None),
    ],
)
def test_body_is_known_by_the_headers(headers: list[tuple[bytes, bytes]], has_body: bool, length: int | None) -> None:
    read = RequestHeaders(headers)
    assert (read.has_body, read.content_length) == (has_body, length)


def test_answers_headers_lose_those_of_the_hop_and_gain_the_request_id() -> None:
    kept = answer_headers(
        [
            (b"etag", b"1"),
            (b"connection", b"close"),
            (b"transfer-encoding", b"chunked"),
            (b"server", b"x"),
            (b"date", b"d"),
        ],
        b"r-1",
    )
    assert kept == [(b"etag", b"1"), (b"x-request-id", b"r-1")]
