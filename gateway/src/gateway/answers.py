"""Answers that the gateway gives itself, beside problem documents."""

from typing import Final

from gateway.request import Request

JSON: Final = b"application/json"
Headers = list[tuple[bytes, bytes]]


def own_headers(request: Request) -> Headers:
    """What each of them has."""
    return [(b"x-request-id", request.id.encode("ascii")), (b"x-content-type-options", b"nosniff")]


async def answer(request: Request, status: int, body: bytes, *, more: Headers | None = None) -> None:
    """JSON that nobody keeps; nothing but a head for 204."""
    headers = [*own_headers(request), *(more or []), (b"cache-control", b"no-store")]
    if status != 204:
        headers += [(b"content-type", JSON), (b"content-length", b"%d" % len(body))]
    await request.start_answer(status, headers)
    await request.send_body(body)
