"""Paths lead to operations: fixed segments first, never two services at one path."""

import time
from typing import Any

import pytest

from gateway.documents import Operation, is_private
from gateway.reference_spec import DocumentRefusedError
from gateway.routing import Router


def operation(path: str, method: str = "GET", service: str = "bots", operation_id: str = "x") -> Operation:
    return Operation(
        service=service,
        method=method,
        path=path,
        operation_id=operation_id,
        public=False,
        body=None,
        path_references=(),
        query_references=(),
        digest=None,
        asks_service=False,
        body_bytes_max=None,
    )


PATHS = [
    "/v1/bots",
    "/v1/bots/{botId}",
    "/v1/bots/actions",
    "/v1/bots/{botId}/start",
    "/v1/bots/{botId}/performance/samples",
    "/v1/{what}/special",
    "/",
]


def leads_to(path: str) -> Any:
    router = Router(operation(one) for one in PATHS)
    route = router.find(path)
    if route is None:
        return None
    found = route.methods["GET"]
    return found.path, router.parameters(found, route)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/bots", ("/v1/bots", {})),
        ("/v1/bots/1", ("/v1/bots/{botId}", {"botId": "1"})),
        ("/v1/bots/actions", ("/v1/bots/actions", {})),
        ("/v1/bots/actions/start", ("/v1/bots/{botId}/start", {"botId": "actions"})),
        ("/v1/bots/1/performance/samples", ("/v1/bots/{botId}/performance/samples", {"botId": "1"})),
        ("/v1/other/special", ("/v1/{what}/special", {"what": "other"})),
        ("/v1/bots/special", ("/v1/bots/{botId}", {"botId": "special"})),
        ("/v1/bots/binance:BTC-USDT", ("/v1/bots/{botId}", {"botId": "binance:BTC-USDT"})),
        ("/v1/bots/a%2Fb%20c", ("/v1/bots/{botId}", {"botId": "a/b c"})),
        ("/v1/%62ots", ("/v1/bots", {})),
        ("/", ("/", {})),
        ("", None),
        ("v1/bots", None),
        ("/v1/bots/", None),
        ("/v1/bots/1/", None),
        ("/v1//bots", None),
        ("/v1/bots/1/stop", None),
        ("/v1/bots/.", None),
        ("/v1/bots/%2e%2E", None),
        ("/v1/bots/1%002", None),
        ("/V1/bots", None),
        ("/" + "a/" * 200, None),
    ],
)
def test_path_leads_to(path: str, expected: Any) -> None:
    assert leads_to(path) == expected


def test_methods_of_a_path_are_told() -> None:
    router = Router([operation("/a/{x}", "POST"), operation("/a/{x}", "GET"), operation("/a/{y}", "DELETE")])
    route = router.find("/a/1")
    assert route is not None
    assert route.allow == "DELETE, GET, POST"
    assert router.parameters(route.methods["DELETE"], route) == {"y": "1"}


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (operation("/a"), operation("/a", service="users"), "a route of bots already"),
        (operation("/a/{x}"), operation("/a/{y}", "PATCH", service="users"), "a route of bots already"),
        (operation("/a/{x}"), operation("/a/{y}"), "the same route"),
    ],
)
def test_two_operations_cannot_have_one_route(first: Operation, second: Operation, why: str) -> None:
    with pytest.raises(DocumentRefusedError, match=why):
        Router([first, second])


@pytest.mark.parametrize("path", ["/a{b}", "/{a}{b}", "/{}", "/a//b", "/a/", "/{a", "/" + "a/" * 40])
def test_path_that_cannot_be_routed_is_refused(path: str) -> None:
    with pytest.raises(DocumentRefusedError):
        Router([operation(path)])


@pytest.mark.parametrize("path", ["/internal/x", "/metrics", "/health/live", "/openapi.json", "/docs", "/internal"])
def test_private_paths_are_known(path: str) -> None:
    assert is_private(path)


@pytest.mark.parametrize("path", ["/v1/internal", "/metricsx", "/.well-known/jwks.json", "/internals"])
def test_other_paths_are_not_private(path: str) -> None:
    assert not is_private(path)


def test_search_does_not_grow_with_wrong_turns() -> None:
    """Fixed and variable branches at every level would make a naive search double with each segment."""
    router = Router(
        operation("/" + "/".join("a" if number >> bit & 1 else f"{{v{bit}}}" for bit in range(6)) + "/end")
        for number in range(64)
    )
    began = time.perf_counter()
    for _ in range(100):
        assert router.find("/a/a/a/a/a/a/nowhere") is None
    assert time.perf_counter() - began < 2
