"""Makes the core's calls over HTTP. A service that can't be asked, or answers anything but what was asked for, is one
that is waited for."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from gateway.deletion.steps import Answer, Call, WaitingError
from gateway.internal import InternalCalls, json_object
from gateway.refusals import detail_of
from gateway.upstream_errors import BadAnswerError, UpstreamError
from kit.fault_points import reached
from kit.identity import ANONYMOUS, Caller

PREFIX: Final = "/internal/references/"
REASON_LENGTH_MAX: Final = 300
_log = structlog.get_logger("gateway.deletion")


class DeletionCalls:
    """Every call may be made again: what it does, it does once."""

    def __init__(self, calls: Mapping[str, InternalCalls], *, timeout_s: float) -> None:
        self._calls = calls
        self._timeout_s = timeout_s

    async def make(self, calls: Sequence[Call], caller: Caller = ANONYMOUS) -> list[Answer]:
        """All answers, in order. Raises WaitingError with every service that gave none."""
        outcomes = await asyncio.gather(*(self._one(call, caller) for call in calls), return_exceptions=True)
        answers: list[Answer] = []
        waiting: dict[str, str] = {}
        for call, outcome in zip(calls, outcomes, strict=True):
            if isinstance(outcome, UpstreamError):
                waiting[call.service] = str(outcome)[:REASON_LENGTH_MAX]
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                answers.append(outcome)
        if waiting:
            raise WaitingError(waiting)
        for call in calls:
            reached(f"coordinator:{call.step}")
        return answers

    async def make_what_can_be(
        self, calls: Sequence[Call], caller: Caller, *, timeout_s: float | None = None
    ) -> list[Answer]:
        """The answers of those services that give one."""
        asked = (self._one(call, caller, timeout_s) for call in calls)
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, UpstreamError):
                raise outcome
        for call in calls:
            reached(f"coordinator:{call.step}")
        return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]

    async def _one(self, call: Call, caller: Caller, timeout_s: float | None = None) -> Answer:
        service = self._calls.get(call.service)
        if service is None:
            raise BadAnswerError(
                "it is not among this gateway's SERVICES: put it back, or remove its relationships if it is gone"
            )
        path, timeout_s = PREFIX + call.path, timeout_s or self._timeout_s
        answer = await service.post(path, call.body, timeout_s=timeout_s, caller=caller)
        if answer.status != 200:  # the next replica may be of another version
            answer = await service.post(path, call.body, timeout_s=timeout_s, caller=caller)
        if answer.status != 200:
            raise BadAnswerError(f"it answers {answer.status} to {call.path}{detail_of(answer.body)}")
        return json_object(answer)
