"""The demo's client: one caller's view of the public API, with answers that must be what a step expects."""

import time
from collections.abc import Iterator
from typing import Any

import httpx

from demo.show import StepFailedError

TIMEOUT_S = 30.0
PAGE_LIMIT = 200
PAGES_MAX = 100
RETRIES_MAX = 5
PROBLEM_TYPE = "application/problem+json"


class Api:
    """Speaks with the gateway and with nothing else."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.base_url = base_url
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=TIMEOUT_S)

    def signed_in(self, email: str, password: str) -> "Api":
        """The same API with a token of this user."""
        answer = self.post("/v1/auth/token", {"email": email, "password": password})
        return Api(self.base_url, answer["accessToken"])

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        return _expected(self._send("GET", path, params=parameters), 200)

    def post(self, path: str, body: Any = None, *, status: int | None = None, key: str | None = None) -> dict[str, Any]:
        return _expected(self.answer(path, body, key=key), status)

    def answer(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """The answer to a POST, whatever it is."""
        headers = {"Idempotency-Key": key} if key else {}
        return (
            self._send("POST", path, json=body, headers=headers)
            if body is not None
            else self._send("POST", path, headers=headers)
        )

    def delete(self, path: str, *, status: int, headers: dict[str, str] | None = None) -> httpx.Response:
        """The answer, which must have this status."""
        answer = self._send("DELETE", path, headers=headers or {})
        _expect(answer, status)
        return answer

    def status(self, path: str) -> int:
        """That of a GET, whatever it is."""
        return self._send("GET", path).status_code

    def items(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Everything in a list, page by page."""
        cursor: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            page = self.get(path, limit=PAGE_LIMIT, **parameters, **cursor)
            yield from page["items"]
            if page["nextCursor"] is None:
                return
            cursor = {"cursor": page["nextCursor"]}
        raise StepFailedError(f"{path} has more than {PAGES_MAX} pages")

    def refused(self, path: str, body: Any, status: int, code: str, *, key: str | None = None) -> dict[str, Any]:
        """The problem document of a POST that must be refused in this way."""
        answer = self.answer(path, body, key=key)
        content_type = answer.headers.get("content-type", "").split(";")[0]
        if answer.status_code != status or content_type != PROBLEM_TYPE:
            raise StepFailedError(f"expected {status} {code} as a problem document, got {_describe(answer)}")
        document: dict[str, Any] = answer.json()
        if document.get("code") != code or document.get("status") != status:
            raise StepFailedError(f"expected {code}, got {_describe(answer)}")
        return document

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        for _ in range(RETRIES_MAX):
            answer = self._http.request(method, path, **options)
            if answer.status_code not in {429, 503}:
                break
            time.sleep(min(float(answer.headers.get("retry-after", "1")), 5.0))
        return answer


def _expect(answer: httpx.Response, status: int | None) -> None:
    good = answer.is_success if status is None else answer.status_code == status
    if not good:
        raise StepFailedError(f"expected {status or 'a success'}, got {_describe(answer)}")


def _expected(answer: httpx.Response, status: int | None) -> dict[str, Any]:
    _expect(answer, status)
    content: dict[str, Any] = answer.json() if answer.content else {}
    return content


def _describe(answer: httpx.Response) -> str:
    return f"{answer.status_code} from {answer.request.method} {answer.request.url.path}: {answer.text[:800]}"


def check(condition: bool, otherwise: str) -> None:
    """The step fails with `otherwise` if the condition does not hold."""
    if not condition:
        raise StepFailedError(otherwise)
