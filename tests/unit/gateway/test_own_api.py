"""The gateway's own operations: found by template, signed in, and with bodies within their limits."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from stub_platform import ALICE, Issuer

from gateway.client import SmallAnswer
from gateway.identity import Identity
from gateway.jwks import KeySet
from gateway.own_api import BODY_BYTES_MAX, OwnApi, OwnOperation, read_object
from gateway.request import ClientGoneError, Request, RequestTimeout
from kit.problems import (
    DeadlineExceeded,
    InvalidRequest,
    MethodNotAllowed,
    PayloadTooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)

pytestmark = pytest.mark.anyio

JSON = (b"content-type", b"application/json")
NOTHING: Mapping[str, Any] = {}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Calls:
    """What was asked of each operation."""

    def __init__(self, *operations: tuple[str, str], said: Mapping[str, Any] = NOTHING) -> None:
        self.said = said
        self.issuer = Issuer()
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        keys = KeySet(self._keys, interval_s=0)
        identity = Identity(keys, issuer="omnitrade", audience="omnitrade", tokens_max=10)
        self.hold: Callable[[], Awaitable[None]] | None = None
        self.api = OwnApi(identity, [self._operation(*one) for one in operations], timeout_s=0.2)

    async def _keys(self) -> SmallAnswer:
        return SmallAnswer(200, [], json.dumps({"keys": [self.issuer.jwk]}).encode())

    def _operation(self, method: str, path: str) -> OwnOperation:
        async def handle(request: Request, values: Mapping[str, str]) -> None:
            self.seen.append((f"{method} {path}", request.caller.id or "", dict(values)))
            if self.hold is not None:
                await self.hold()

        return OwnOperation(method, path, handle, {"operationId": f"{method} {path}", **self.said})

    async def ask(self, method: str, path: str, *parts: bytes, signed_in: bool = True, query: bytes = b"") -> None:
        found = self.api.find(path)
        assert found is not None
        headers = [JSON] if parts else []
        if signed_in:
            headers.append((b"authorization", f"Bearer {self.issuer.token()}".encode()))
        await self.api.answer(request(method, path, *parts, headers=headers, query=query), *found)


def request(
    method: str = "POST",
    path: str = "/",
    *parts: bytes,
    headers: list[tuple[bytes, bytes]] | None = None,
    query: bytes = b"",
) -> Request:
    """`parts` are those of its body; after them the client is gone."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": place < len(parts)} for place, part in enumerate(parts, 1)
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        raise AssertionError("nothing is answered here")

    made = Request({"method": method, "raw_path": path.encode(), "query_string": query}, receive, send)
    length = [(b"content-length", str(sum(map(len, parts))).encode())] if parts else []
    made.read_headers([*(headers or []), *length])
    return made


async def test_template_with_fixed_segments_goes_before_one_with_variables() -> None:
    calls = Calls(("GET", "/v1/references/{name}"), ("GET", "/v1/references/removed"), ("GET", "/v1/references"))
    await calls.ask("GET", "/v1/references/removed")
    await calls.ask("GET", "/v1/references/bots.userId")
    await calls.ask("GET", "/v1/references")
    assert calls.seen == [
        ("GET /v1/references/removed", ALICE, {}),
        ("GET /v1/references/{name}", ALICE, {"name": "bots.userId"}),
        ("GET /v1/references", ALICE, {}),
    ]


@pytest.mark.parametrize("path", ["/v1/references/", "/v1/references/a/b", "/v1/reference/a", "/V1/references/a", "/"])
async def test_path_that_fits_no_template_is_nobodys(path: str) -> None:
    assert Calls(("GET", "/v1/references/{name}")).api.find(path) is None


async def test_method_that_is_not_taken_is_told_which_are() -> None:
    calls = Calls(("GET", "/v1/audits"), ("POST", "/v1/audits"))
    with pytest.raises(MethodNotAllowed) as refused:
        await calls.ask("DELETE", "/v1/audits")
    assert refused.value.headers == {"Allow": "GET, POST"}
    await calls.ask("HEAD", "/v1/audits")
    assert calls.seen == [("GET /v1/audits", ALICE, {})]


async def test_nobody_is_served_without_signing_in() -> None:
    calls = Calls(("GET", "/v1/audits"))
    with pytest.raises(Unauthenticated):
        await calls.ask("GET", "/v1/audits", signed_in=False)
    assert calls.seen == []


async def test_operation_is_given_up_at_its_deadline() -> None:
    calls = Calls(("GET", "/v1/audits"))
    given_up = asyncio.Event()

    async def hold() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            given_up.set()

    calls.hold = hold
    with pytest.raises(DeadlineExceeded):
        await calls.ask("GET", "/v1/audits")
    assert given_up.is_set()


async def test_bug_is_not_taken_for_the_deadline() -> None:
    calls = Calls(("GET", "/v1/audits"))

    async def hold() -> None:
        raise TimeoutError

    calls.hold = hold
    with pytest.raises(TimeoutError):
        await calls.ask("GET", "/v1/audits")


@pytest.mark.parametrize(
    ("query", "pointers"),
    [(b"force=true", ["/force"]), (b"gone=true&gone=false", ["/gone"]), (b"gone", []), (b"%ff=1", [""])],
)
async def test_query_is_what_is_documented(query: bytes, pointers: list[str]) -> None:
    calls = Calls(("DELETE", "/v1/audits"), said={"parameters": [{"name": "gone", "in": "query"}]})
    if not pointers:
        await calls.ask("DELETE", "/v1/audits", query=query)
        return
    with pytest.raises(InvalidRequest) as refused:
        await calls.ask("DELETE", "/v1/audits", query=query)
    assert [one.pointer for one in refused.value.errors] == pointers
    assert calls.seen == []


@pytest.mark.parametrize(("body", "pointers"), [(b'{"force": true}', ["/force"]), (b"[]", [""]), (b"{}", [])])
async def test_body_is_refused_where_none_is_documented(body: bytes, pointers: list[str]) -> None:
    calls = Calls(("DELETE", "/v1/audits"))
    if not pointers:
        await calls.ask("DELETE", "/v1/audits", body)
        return
    with pytest.raises(InvalidRequest) as refused:
        await calls.ask("DELETE", "/v1/audits", body)
    assert [one.pointer for one in refused.value.errors] == pointers
    assert calls.seen == []


async def test_operations_are_documented_by_path_and_method() -> None:
    documented = Calls(("GET", "/v1/audits"), ("POST", "/v1/audits"), ("GET", "/v1/audits/{id}")).api.documented()
    assert {path: sorted(item) for path, item in documented.items()} == {
        "/v1/audits": ["get", "post"],
        "/v1/audits/{id}": ["get"],
    }
    assert documented["/v1/audits"]["post"]["operationId"] == "POST /v1/audits"


class TestBody:
    async def test_object_is_read_whole_however_it_comes(self) -> None:
        assert await read_object(request("POST", "/", b'{"a"', b": [1]}", headers=[JSON])) == {"a": [1]}

    async def test_nothing_is_an_empty_object(self) -> None:
        assert await read_object(request()) == {}

    @pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'{"a": 1, "a": 2}', b"{", b'{"a": NaN}'])
    async def test_anything_else_is_refused(self, body: bytes) -> None:
        with pytest.raises(InvalidRequest):
            await read_object(request("POST", "/", body, headers=[JSON]))

    @pytest.mark.parametrize(
        "kind", [None, b"text/plain", b"application/json-patch+json", b"application/json; charset=latin-1"]
    )
    async def test_only_json_is_taken(self, kind: bytes | None) -> None:
        headers = [] if kind is None else [(b"content-type", kind)]
        with pytest.raises(UnsupportedMediaType):
            await read_object(request("POST", "/", b"{}", headers=headers))
        assert (
            await read_object(request("POST", "/", b"{}", headers=[(b"content-type", b"Application/JSON; a=b")])) == {}
        )

    async def test_too_long_is_refused_announced_or_not(self) -> None:
        with pytest.raises(PayloadTooLarge):
            await read_object(request("POST", "/", b"x" * (BODY_BYTES_MAX + 1), headers=[JSON]))
        with pytest.raises(PayloadTooLarge):
            await read_object(request("POST", "/", b"xxxx", b"y", headers=[JSON]), bytes_max=4)

    async def test_client_that_goes_away_or_is_slow_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gone = request("POST", "/", headers=[JSON, (b"content-length", b"5")])
        with pytest.raises(ClientGoneError):
            await read_object(gone)
        monkeypatch.setattr("gateway.own_api.BODY_TIMEOUT_S", 0.01)
        slow = request("POST", "/", headers=[JSON, (b"content-length", b"5")])

        async def never() -> dict[str, Any]:
            await asyncio.sleep(10)
            return {}

        slow.receive = never
        with pytest.raises(RequestTimeout):
            await read_object(slow)
