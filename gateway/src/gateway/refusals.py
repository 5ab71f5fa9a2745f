"""A service's own refusal, which the gateway passes on as its answer."""

from typing import Final

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


async def pass_on(request: Request, answer: SmallAnswer) -> None:
    headers = [one for one in answer_headers(answer.headers, request.id.encode("ascii")) if one[0] != b"content-length"]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    await request.start_answer(answer.status, headers)
    await request.send_body(answer.body)
