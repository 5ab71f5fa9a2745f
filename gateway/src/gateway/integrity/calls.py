"""Asks a service for its part of an audit. Every call may be made again: what it does, it does once."""

import asyncio
from collections.abc import Mapping
from math import inf
from typing import Any, Final

from gateway.client import SmallAnswer
from gateway.internal import InternalCalls, json_object
from gateway.refusals import detail_of
from gateway.upstream_errors import AnswerLostError, NotSentError, UpstreamError
from kit.problems import InvalidRequest, Unavailable

PREFIX: Final = "/internal/references/audit/"
TRIES_MAX: Final = 4
PAUSE_S: Final = 0.5
TIMEOUT_S: Final = 12.0
"""Above the time that a service gives its store."""
REASON_LENGTH_MAX: Final = 300
NOT_ASKED_FOR: Final = "its answer is not of the form that was asked for"
_WORTH_ANOTHER_TRY: Final = frozenset({429, 500, 502, 503, 504})

Answer = dict[str, Any]


class NotAnsweredError(Exception):
    """The service could not be asked, or answered something else than what was asked for. `is_down`: it, or its store,
    is not there now, so that it is worth being asked again later. `is_refusal`: it was asked, and will not do it."""

    def __init__(self, service: str, reason: str, *, is_down: bool = False, is_refusal: bool = False) -> None:
        super().__init__(f"{service} cannot be asked: {reason}"[:REASON_LENGTH_MAX])
        self.service = service
        self.reason = reason[:REASON_LENGTH_MAX]
        self.is_down = is_down
        self.is_refusal = is_refusal


class AuditCalls:
    """With `end_at`, in the event loop's time, nothing is asked or waited for after it."""

    def __init__(self, calls: Mapping[str, InternalCalls], *, end_at: float = inf) -> None:
        self._calls = calls
        self._end_at = end_at
        self.services = tuple(calls)

    def until(self, end_at: float) -> "AuditCalls":
        """The same calls, for who has to be answered by then."""
        return AuditCalls(self._calls, end_at=min(end_at, self._end_at))

    async def ask(
        self, service: str, path: str, body: Mapping[str, Any] | None = None, *, tries: int = TRIES_MAX
    ) -> Answer:
        """Raises NotAnsweredError after `tries`."""
        called = self._calls.get(service)
        if called is None:
            raise NotAnsweredError(service, "it is not among this gateway's SERVICES")
        for attempt in range(1, tries):
            try:
                answer = await called.post(PREFIX + path, body or {}, timeout_s=self._left_s(TIMEOUT_S))
            except UpstreamError:
                pass
            else:
                if answer.status not in _WORTH_ANOTHER_TRY:
                    return _object(service, answer)
            await asyncio.sleep(self._left_s(PAUSE_S * attempt))
        try:
            return _object(service, await called.post(PREFIX + path, body or {}, timeout_s=self._left_s(TIMEOUT_S)))
        except UpstreamError as error:
            is_down = isinstance(error, NotSentError | AnswerLostError)
            raise NotAnsweredError(service, str(error), is_down=is_down) from error

    def _left_s(self, at_most_s: float) -> float:
        return max(0.0, min(at_most_s, self._end_at - asyncio.get_running_loop().time()))

    async def ask_all(
        self, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Answer], dict[str, str]]:
        """Every service's answer, and of those that give none the reason; each is asked once."""
        outcomes = await asyncio.gather(
            *(self.ask(service, path, body, tries=1) for service in self.services), return_exceptions=True
        )
        answers: dict[str, Answer] = {}
        unreachable: dict[str, str] = {}
        for service, outcome in zip(self.services, outcomes, strict=True):
            if isinstance(outcome, NotAnsweredError):
                unreachable[service] = outcome.reason
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                answers[service] = outcome
        return answers, unreachable


def _object(service: str, answer: SmallAnswer) -> Answer:
    if answer.status != 200:
        reason = f"it answers {answer.status}{detail_of(answer.body)}"
        is_down, is_refusal = answer.status == Unavailable.status, answer.status == InvalidRequest.status
        raise NotAnsweredError(service, reason, is_down=is_down, is_refusal=is_refusal)
    try:
        return json_object(answer)
    except UpstreamError as error:
        raise NotAnsweredError(service, str(error)) from error
