"""A service's own refusal, which the gateway passes on as its answer."""

from typing import Final

import orjson

from gateway.client import SmallAnswer
from gateway.headers import answer_headers
from gateway.request import Request

PROBLEM: Final = b"application/problem+json"


class RefusedError(Exception):
    """The refusal is the answer."""

    def __init__(self, answer: SmallAnswer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def is_problem(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" and value.startswith(PROBLEM) for name, value in headers)


def detail_of(body: bytes) -> str:
    """What a problem document says, after a colon; nothing if it is none."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    said = document.get("detail") if isinstance(document, dict) else None
    return f": {said}" if isinstance(said, str) else ""


async def pass_on(request: Request, answer: SmallAnswer) -> None:
    body = _of_request(request, answer.body) if is_problem(answer.headers) else answer.body
    headers = [one for one in answer_headers(answer.headers, request.id.encode("ascii")) if one[0] != b"content-length"]
    headers.append((b"content-length", b"%d" % len(body)))
    await request.start_answer(answer.status, headers)
    await request.send_body(body)


def _of_request(request: Request, body: bytes) -> bytes:
    """What an internal path refused was refused at the client's path."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    return orjson.dumps({**document, "instance": request.path}) if isinstance(document, dict) else body
