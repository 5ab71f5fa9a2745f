"""Asks a service for its part of an audit. Every call may be made again: what it does, it does once."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from gateway.client import SmallAnswer
from gateway.internal import InternalCalls, json_object
from gateway.refusals import detail_of
from gateway.upstream_errors import AnswerLostError, NotSentError, UpstreamError
from kit.problems import Unavailable

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
    is not there now, so that it is worth being asked again later."""

    def __init__(self, service: str, reason: str, *, is_down: bool = False) -> None:
        super().__init__(f"{service} cannot be asked: {reason}"[:REASON_LENGTH_MAX])
        self.service = service
        self.reason = reason[:REASON_LENGTH_MAX]
        self.is_down = is_down


class AuditCalls:
    def __init__(self, calls: Mapping[str, InternalCalls]) -> None:
        self._calls = calls
        self.services = tuple(calls)

    async def ask(
        self, service: str, path: str, body: Mapping[str, Any] | None = None, *, tries: int = TRIES_MAX
    ) -> Answer:
        """Raises NotAnsweredError after `tries`."""
        called = self._calls.get(service)
        if called is None:
            raise NotAnsweredError(service, "it is not among this gateway's SERVICES")
        for attempt in range(1, tries):
            try:
                answer = await called.post(PREFIX + path, body or {}, timeout_s=TIMEOUT_S)
            except UpstreamError:
                pass
            else:
                if answer.status not in _WORTH_ANOTHER_TRY:
                    return _object(service, answer)
            await asyncio.sleep(PAUSE_S * attempt)
        try:
            return _object(service, await called.post(PREFIX + path, body or {}, timeout_s=TIMEOUT_S))
        except UpstreamError as error:
            is_down = isinstance(error, NotSentError | AnswerLostError)
            raise NotAnsweredError(service, str(error), is_down=is_down) from error

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
        is_down = answer.status == Unavailable.status
        raise NotAnsweredError(service, f"it answers {answer.status}{detail_of(answer.body)}", is_down=is_down)
    try:
        return json_object(answer)
    except UpstreamError as error:
        raise NotAnsweredError(service, str(error)) from error
