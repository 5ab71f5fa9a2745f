"""A client of the public API for tests: one person's view of the platform."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

TIMEOUT_S = 30.0
UNKNOWN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


@dataclass
class Api:
    """Requests with one caller's token; anonymous without one."""

    base_url: str
    token: str | None = None
    user_id: str = ""
    email: str = ""
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=TIMEOUT_S))

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return self.http.request(method, self.base_url + path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        if body is not None:
            options["json"] = body
        return self.request("POST", path, **options)

    def patch(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return self.request("PATCH", path, json=body, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", path, **options)

    def made(self, path: str, body: Any = None, **options: Any) -> dict[str, Any]:
        """POST that must succeed: its answer."""
        return done(self.post(path, body, **options))

    def fetched(self, path: str, **options: Any) -> dict[str, Any]:
        """GET that must succeed: its answer."""
        return done(self.get(path, **options))

    def items(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """All items of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.fetched(path, params={**params, **({"cursor": cursor} if cursor else {})})
            yield from page["items"]
            cursor = page["nextCursor"]
            if cursor is None:
                return


def done(response: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer that must be a success."""
    assert response.is_success, (
        f"{response.request.method} {response.request.url}: {response.status_code} {response.text}"
    )
    answer: dict[str, Any] = response.json() if response.content else {}
    return answer


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer that must be this refusal, checked for its form (RFC 9457)."""
    assert response.status_code == status, f"{response.status_code} {response.text}"
    assert response.headers["content-type"].split(";")[0] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["code"] == code, document
    assert document["status"] == status
    assert document["title"]
    assert document["type"]
    assert "Traceback" not in response.text
    return document


def pointers(document: dict[str, Any]) -> set[str]:
    """Where a problem document says that something is wrong."""
    return {error["pointer"] for error in document.get("errors", [])}


def sign_in(base_url: str, email: str, password: str) -> Api:
    """The API as an existing user."""
    api = Api(base_url)
    token = api.made("/v1/auth/token", {"email": email, "password": password})
    api.token, api.email = token["accessToken"], email
    api.user_id = api.fetched("/v1/users/me")["userId"]
    return api


def sign_up(base_url: str, name: str = "trader") -> Api:
    """The API as a new user."""
    email = f"{name}-{secrets.token_hex(6)}@omnitrade.example"
    password = secrets.token_urlsafe(18)
    Api(base_url).made("/v1/users", {"email": email, "password": password, "displayName": name.title()})
    return sign_in(base_url, email, password)
