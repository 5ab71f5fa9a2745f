"""The way of a DELETE: may the caller, does anything block, mark, and then as long as the client waits."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, TypeVar

import orjson

from gateway.answers import answer
from gateway.deletion.calls import PREFIX, DeletionCalls
from gateway.deletion.coordinator import Coordinator
from gateway.deletion.page import DeletionPage
from gateway.deletion.patience import Patience
from gateway.deletion.steps import (
    ABANDONED,
    CHANGED,
    DONE,
    FINAL,
    OVERTAKEN,
    REFUSED,
    Answer,
    Planned,
    Progress,
    Standing,
    read_planned,
    read_standing,
)
from gateway.forwarding import problem_of
from gateway.internal import InternalCalls, json_object
from gateway.refusals import RefusedError, is_problem
from gateway.request import Request, Routed
from gateway.upstream_errors import BadAnswerError, UpstreamError
from kit.fault_points import reached
from kit.identity import Caller
from kit.preconditions import parse_if_match
from kit.problems import DeleteRestricted, NotFound, Problem, Unavailable

TRIES_MAX: Final = 4
COUNT_TIMEOUT_S: Final = 2.0
"""For the count without a fence: it spares a mark, and nothing depends on it."""
DESCRIBE_TIMEOUT_S: Final = 1.0
"""For what a 202 says beside the deletion's name. So much of a request's time is left for it."""
LOCATION: Final = "/v1/deletions/"
RESPOND_ASYNC: Final = "respond-async"
T = TypeVar("T")

Complete = Callable[[str, str, Sequence[str]], Awaitable[bool]]
"""(owner, entity, relationships that the owner knows of): whether it had to be told of more."""


class _Outcome(Enum):
    """What came of a DELETE while its client waited."""

    GONE = "gone"
    REFUSED = "refused"
    GOES_ON = "goes on"
    AGAIN = "again"
    """This deletion has ended and the document is there: the next attempt makes another."""


_OUTCOMES: Final = {
    DONE: _Outcome.GONE,
    REFUSED: _Outcome.REFUSED,
    CHANGED: _Outcome.AGAIN,
    ABANDONED: _Outcome.AGAIN,
}


class DeleteDoor:
    """`wait_s` and `patience` bound how long a client waits for the end; then the delete goes on without it."""

    def __init__(
        self,
        services: Mapping[str, InternalCalls],
        calls: DeletionCalls,
        coordinator: Coordinator,
        page: DeletionPage,
        patience: Patience,
        *,
        complete: Complete,
        wait_s: float,
    ) -> None:
        self._services = services
        self._calls = calls
        self._complete = complete
        self._page = page
        self._patience = patience
        self._coordinator = coordinator
        self._wait_s = wait_s

    async def handle(self, routed: Routed, parameters: Mapping[str, str]) -> None:
        """Answers. Raises Problem, and RefusedError with the service's own refusal."""
        wait_s = 0.0 if _may_follow(routed.request) else self._wait_s
        until = min(routed.deadline - DESCRIBE_TIMEOUT_S, asyncio.get_running_loop().time() + wait_s)
        asked = {
            "operationId": routed.operation.operation_id,
            "pathParameters": dict(parameters),
            "ifMatch": parse_if_match(routed.request.headers.text(b"if-match")),
        }
        for _ in range(TRIES_MAX):
            begun = await self._begin(routed, asked)
            outcome, standing = await self._outcome(begun, routed, asked, until)
            if outcome is not _Outcome.AGAIN:
                await self._answer(routed, outcome, standing)
                return
        raise Unavailable("The document is changed by many at once; try again.")

    async def _begin(self, routed: Routed, asked: Mapping[str, Any]) -> Standing:
        """Asks, counts without a fence, and has it marked. What somebody's delete has marked already is not counted:
        this one joins it, and gets the same answer."""
        planned = await self._ask(routed, "deletions/plan", asked, read_planned)
        if await self._was_incomplete(routed.operation.service, planned):
            planned = await self._ask(routed, "deletions/plan", asked, read_planned)
        if not planned.in_deletion:
            await self._refuse_blocked(routed, planned)

        def read(said: Answer) -> Standing:
            standing = read_standing(said)
            if (standing.entity, standing.id) != (planned.entity, planned.id):
                raise BadAnswerError("it marked another document than it was asked about")
            return standing

        return await self._ask(routed, "deletions/begin", asked, read)

    async def _ask(self, routed: Routed, path: str, body: Mapping[str, Any], read: Callable[[Answer], T]) -> T:
        service, caller = routed.operation.service, routed.request.caller
        timeout_s = routed.left_s(asyncio.get_running_loop().time())
        try:
            said = await self._services[service].post(PREFIX + path, body, timeout_s=timeout_s, caller=caller)
            if 400 <= said.status < 500 and is_problem(said.headers):
                raise RefusedError(said)
            told = read(json_object(said))
        except UpstreamError as error:
            raise problem_of(error, service, "DELETE") from error
        reached(f"coordinator:{path.rpartition('/')[2]}")
        return told

    async def _was_incomplete(self, owner: str, planned: Planned) -> bool:
        """Whether the owner did not know of all that may refer to the document."""
        try:
            return await self._complete(owner, planned.entity, [one.relationship for one in planned.relationships])
        except UpstreamError as error:
            raise problem_of(error, owner, "DELETE") from error

    async def _refuse_blocked(self, routed: Routed, planned: Planned) -> None:
        """Blocked already: nothing is touched. A service that can't be asked now is asked again behind the fence."""
        steps = self._coordinator.core(Progress()).count(planned.entity, planned.id, planned.relationships)
        calls = next(steps)
        answers: list[Answer] = []
        async with self._patience.kept():
            answers = await self._calls.make_what_can_be(calls, routed.request.caller, timeout_s=COUNT_TIMEOUT_S)
        try:
            steps.send(answers)
        except StopIteration as ended:
            blocked: Sequence[Mapping[str, Any]] = ended.value
            if blocked:
                raise _restricted(blocked) from None

    async def _outcome(
        self, begun: Standing, routed: Routed, asked: Mapping[str, Any], until: float
    ) -> tuple[_Outcome, Standing]:
        """What came of it, and the standing that says so. What overtook it takes the document with it, leaves it
        behind, or, where an owner of an older version speaks of another delete of the same document, is refused."""
        standing = await self._followed(begun, until, routed.request.caller)
        if standing.state != OVERTAKEN or standing.other is None:
            return _OUTCOMES.get(standing.state, _Outcome.GOES_ON), standing
        other = await self._coordinator.follow(standing.other, until=until)
        if other is None:
            return _Outcome.GOES_ON, standing
        if other.state == REFUSED:
            return _Outcome.REFUSED, other
        return _Outcome.GONE if await self._is_gone(routed, asked) else _Outcome.AGAIN, other

    async def _followed(self, standing: Standing, until: float, caller: Caller) -> Standing:
        """How it ended, or where it stood if it goes on."""
        if standing.state in FINAL or standing.state == CHANGED:
            return standing
        ended = await self._coordinator.follow(standing.deletion_id, until=until, standing=standing, caller=caller)
        return ended or standing

    async def _is_gone(self, routed: Routed, asked: Mapping[str, Any]) -> bool:
        """Whether what overtook it took it along: where its relationship was removed meanwhile, nobody did."""
        try:
            await self._ask(routed, "deletions/plan", asked, read_planned)
        except RefusedError as refused:
            return refused.answer.status == NotFound.status
        return False

    async def _answer(self, routed: Routed, outcome: _Outcome, standing: Standing) -> None:
        request = routed.request
        if outcome is _Outcome.GONE:
            await answer(request, 204, b"")
        elif outcome is _Outcome.REFUSED:
            is_mine = standing.requested_by == request.caller.id
            raise _restricted(standing.blocked_by if is_mine else [{**one, "ids": []} for one in standing.blocked_by])
        else:
            deletion_id = standing.deletion_id or standing.other or ""
            more = [(b"location", f"{LOCATION}{deletion_id}".encode("ascii"))]
            if _may_follow(request):
                more.append((b"preference-applied", RESPOND_ASYNC.encode("ascii")))
            await answer(request, 202, await self._described(deletion_id, routed, standing), more=more)

    async def _described(self, deletion_id: str, routed: Routed, standing: Standing) -> bytes:
        """The deletion; no more than its name for somebody who joined another's, or where its owner takes too long."""
        timeout_s = min(DESCRIBE_TIMEOUT_S, routed.left_s(asyncio.get_running_loop().time()))
        try:
            return await self._page.read(deletion_id, routed.request.caller, timeout_s=timeout_s)
        except Problem:
            return orjson.dumps({"deletionId": deletion_id, "entity": standing.entity, "id": standing.id})


def _may_follow(request: Request) -> bool:
    """Whether the client would rather follow it than wait (RFC 7240)."""
    wanted = (request.headers.text(b"prefer") or "").lower().split(",")
    return RESPOND_ASYNC in (one.strip() for one in wanted)


def _restricted(blocked_by: Sequence[Mapping[str, Any]]) -> DeleteRestricted:
    count = sum(int(one["count"]) for one in blocked_by)
    named = ", ".join(sorted({str(one["relationship"]) for one in blocked_by}))
    refer, them = ("1 document refers", "it") if count == 1 else (f"{count} documents refer", "them")
    detail = f"{refer} to it ({named}): remove or change {them} first. Nothing was changed."
    return DeleteRestricted(detail, blocked_by=[dict(one) for one in blocked_by])
