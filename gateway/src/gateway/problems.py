"""Renders refusals as problem documents of RFC 9457."""

import orjson

from gateway.request import Request
from kit.problems import MEDIA_TYPE, Problem


async def answer_problem(request: Request, problem: Problem) -> None:
    body = orjson.dumps(problem.body(instance=request.path, request_id=request.id))
    request.code = problem.code
    headers = [
        (b"content-type", MEDIA_TYPE.encode("ascii")),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request.id.encode("ascii")),
        *((name.lower().encode("ascii"), value.encode("latin-1")) for name, value in problem.headers.items()),
    ]
    await request.start_answer(problem.status, headers)
    await request.send_body(body)
