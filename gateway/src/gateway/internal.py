"""The gateway's own calls to a service: JSON there and back, with a context that the gateway signs for itself."""

from typing import Any, Final

import orjson

from gateway.client import SmallAnswer, Upstream
from gateway.headers import CONTEXTS_MAX, is_context_refused
from gateway.refusals import detail_of
from gateway.upstream_errors import BadAnswerError, ContextRefusedError, OtherVersionError
from kit.clock import Clock, SystemClock
from kit.context import HEADER_NAME, SKEW_S, RequestContext, body_digest, sign_context
from kit.identity import ANONYMOUS, Caller
from kit.ids import new_id
from kit.telemetry import current_trace, outgoing_headers

VALIDATE: Final = "/internal/references/validate"
REGISTER: Final = "/internal/references/register"
PARENTS: Final = "/internal/references/parents"
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
CONTEXT_S: Final = 30
NOT_UNDERSTOOD: Final = 428


class InternalCalls:
    """Calls to one service, with the key that it shares with the gateway."""

    def __init__(self, upstream: Upstream, key: bytes, *, clock: Clock | None = None) -> None:
        self.service = upstream.service
        self._upstream = upstream
        self._key = key
        self._clock = clock or SystemClock()

    async def post(self, path: str, value: Any, *, timeout_s: float, caller: Caller = ANONYMOUS) -> SmallAnswer:
        """Raises UpstreamError. A replica that refuses the context, or is of a version that does not know what is
        asked, is not the last to be asked: it has done nothing."""
        body = orjson.dumps(value)
        headers = [("content-type", "application/json"), *self._headers("POST", path, body, timeout_s, caller)]
        for _ in range(CONTEXTS_MAX):
            answer = await self._upstream.fetch(
                "POST", path, headers=headers, body=body, timeout_s=timeout_s, body_bytes_max=ANSWER_BYTES_MAX
            )
            if not is_context_refused(answer.status, answer.headers) and answer.status != NOT_UNDERSTOOD:
                return answer
        if answer.status == NOT_UNDERSTOOD and not is_context_refused(answer.status, answer.headers):
            raise OtherVersionError(detail_of(answer.body))
        raise ContextRefusedError

    async def get(self, path: str, *, timeout_s: float, body_bytes_max: int) -> SmallAnswer:
        """Raises UpstreamError."""
        headers = self._headers("GET", path, b"", timeout_s, ANONYMOUS)
        return await self._upstream.fetch(
            "GET", path, headers=headers, timeout_s=timeout_s, body_bytes_max=body_bytes_max
        )

    def _headers(self, method: str, path: str, body: bytes, timeout_s: float, caller: Caller) -> list[tuple[str, str]]:
        now = self._clock.now().timestamp()
        trace = current_trace.get()
        context = RequestContext(
            audience=self.service,
            method=method,
            path=path,
            request_id=trace.request_id if trace is not None else new_id(),
            deadline=int((now + timeout_s + SKEW_S) * 1000),  # the gateway's own clock ends it
            expires_at=int(now) + CONTEXT_S,
            caller=caller,
            body_sha256=body_digest(body) if body else None,
        )
        traced = list(outgoing_headers(trace).items()) if trace is not None else []
        return [(HEADER_NAME, sign_context(context, self._key)), *traced]


def json_object(answer: SmallAnswer) -> dict[str, Any]:
    """The object in a 200 answer. Raises BadAnswerError for anything else."""
    if answer.status != 200:
        raise BadAnswerError(f"the service answers {answer.status}")
    try:
        value = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise BadAnswerError("the service's answer is not JSON") from None
    if not isinstance(value, dict):
        raise BadAnswerError("the service's answer is not an object")
    return value
