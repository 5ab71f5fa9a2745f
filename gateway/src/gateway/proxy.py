"""The way of a routed request: who calls, what it refers to, on to the service, and the answer back."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from gateway.catalogue import Catalogue
from gateway.client import Exchange, SmallAnswer
from gateway.deletion.door import DeleteDoor
from gateway.documents import Operation
from gateway.extraction import Found
from gateway.forwarding import PLAIN, Attached, Forwarder, problem_of
from gateway.identity import Identity
from gateway.internal import PARENTS, InternalCalls, json_object
from gateway.planned import Plan, read_plan
from gateway.references import ReferenceChecks, find
from gateway.refusals import RefusedError, is_problem, pass_on
from gateway.request import Body, Request, RequestTimeout, Routed
from gateway.routing import Route
from gateway.upstream_errors import OtherVersionError, UpstreamError
from kit.bodies import parse_content, refuse_fields
from kit.problems import (
    NotFound,
    ReferenceClosed,
    ReferenceConditionFailed,
    ReferenceNotFound,
)
from kit.queries import check_query

CLOSED_MAX: Final = 500
QUERY_FIELDS_MAX: Final = 200
_NAMES_ONLY: Final = frozenset({"relationship", "parent", "id"})


class Proxy:
    """`hint` is called with a service that seems to have another document than the one that is known."""

    def __init__(
        self,
        *,
        identity: Identity,
        checks: ReferenceChecks,
        forwarder: Forwarder,
        deletes: DeleteDoor,
        calls: Mapping[str, InternalCalls],
        catalogue: Callable[[], Catalogue],
        body_bytes_max: int,
        hint: Callable[[str], None],
    ) -> None:
        self._identity = identity
        self._checks = checks
        self._forwarder = forwarder
        self._deletes = deletes
        self._calls = calls
        self._catalogue = catalogue
        self._body_bytes_max = body_bytes_max
        self._hint = hint

    async def handle(self, request: Request, operation: Operation, route: Route) -> None:
        """Answers, or raises Problem, or UpstreamError when the answer broke off on its way."""
        request.operation = operation
        body = Body(request.receive, operation.body_bytes_max or self._body_bytes_max)
        routed = Routed(request, operation, body, self._forwarder.deadline())
        authorization = request.headers.seen.get(b"authorization")
        request.caller = await self._identity.caller(authorization, required=not operation.public)
        if operation.is_write:
            await self._read_body(routed)
        if operation.deletes is not None:
            await self._delete(routed, route)
            return
        attached = PLAIN
        parameters: Mapping[str, str] = {}
        if operation.has_references:
            parameters = self._catalogue().router.parameters(operation, route)
            found = await self._attach(routed, parameters)
            if found is None:
                return
            attached = found
        exchange = await self._forwarder.send(routed, attached)
        if operation.is_write and _may_be_mended(exchange, attached):
            await self._answer_refusal(routed, parameters, attached, exchange)
        else:
            await self._forwarder.answer(routed, exchange)

    async def _delete(self, routed: Routed, route: Route) -> None:
        """Coordinated here, not passed on. What is meant is said by the path alone."""
        check_query(routed.request.query, frozenset())
        refuse_fields(_parsed(routed))
        try:
            await self._deletes.handle(routed, self._catalogue().router.parameters(routed.operation, route))
        except RefusedError as refused:
            await pass_on(routed.request, refused.answer)

    async def _read_body(self, routed: Routed) -> None:
        """All of it where it has to be read, else what came with the head."""
        try:
            async with asyncio.timeout_at(routed.deadline):
                await routed.body.begin(routed.request.headers)
                if routed.operation.has_references or routed.operation.deletes is not None:
                    await routed.body.read()
        except TimeoutError:
            raise RequestTimeout("The body did not come in time.") from None

    async def _attach(self, routed: Routed, parameters: Mapping[str, str]) -> Attached | None:
        """The confirmed references. What is refused may have been done before: with an Idempotency-Key the service is
        asked for its kept answer first. None if that answer was given."""
        value = _value(routed)
        try:
            return await self._confirmed(routed, value, parameters)
        except (NotFound, ReferenceNotFound, ReferenceConditionFailed) as problem:
            if await self._replayed(routed):
                return None
            raise problem from None
        except RefusedError as refused:
            if not await self._replayed(routed):
                await pass_on(routed.request, refused.answer)
            return None

    async def _confirmed(self, routed: Routed, value: Any, parameters: Mapping[str, str]) -> Attached:
        operation, caller = routed.operation, routed.request.caller
        found = _found(routed, value, parameters)
        if not operation.asks_service:
            return Attached(await self._checks.check(operation, found, parameters, caller))
        plan = await self._plan(routed, value, parameters)
        named = await self._checks.check_named(plan.questions, caller)
        others = [one for one in found if one.pointer not in plan.pointers]
        checked = await self._checks.check(operation, others, parameters, caller)
        return Attached(named.joined(checked), versions=plan.versions)

    async def _plan(self, routed: Routed, value: Any, parameters: Mapping[str, str]) -> Plan:
        """What the child's service says is meant. Raises RefusedError with its refusal."""
        operation = routed.operation
        asked = {"operationId": operation.operation_id, "pathParameters": dict(parameters), "body": value}
        timeout_s = routed.left_s(asyncio.get_running_loop().time())
        try:
            answer = await self._calls[operation.service].post(
                PARENTS, asked, timeout_s=timeout_s, caller=routed.request.caller
            )
            if 400 <= answer.status < 500 and is_problem(answer.headers):
                raise RefusedError(answer)
            return read_plan(json_object(answer))
        except UpstreamError as error:
            if isinstance(error, OtherVersionError):
                self._hint(operation.service)
            raise problem_of(error, operation.service) from error

    async def _replayed(self, routed: Routed) -> bool:
        """Whether the service has an answer for the request's Idempotency-Key, which is then given."""
        if b"idempotency-key" not in routed.request.headers.seen:
            return False
        exchange = await self._forwarder.send(routed, Attached(replay_only=True))
        if exchange.status == 428:
            await self._forwarder.read(routed, exchange)
            return False
        await self._forwarder.answer(routed, exchange)
        return True

    async def _answer_refusal(
        self, routed: Routed, parameters: Mapping[str, str], attached: Attached, exchange: Exchange
    ) -> None:
        """The answer is a refusal before anything was written, which the gateway may be able to mend; once."""
        answer = await self._forwarder.read(routed, exchange)
        if answer.status == 428:
            self._hint(routed.operation.service)
        again = await self._mended(routed, parameters, attached, answer) if routed.body.resendable else None
        if again is None:
            await pass_on(routed.request, answer)
            return
        second = await self._forwarder.send(routed, again)
        await self._forwarder.answer(routed, second)

    async def _mended(
        self, routed: Routed, parameters: Mapping[str, str], attached: Attached, answer: SmallAnswer
    ) -> Attached | None:
        """What to send instead: closed references with their new epochs; or those of the document as it is now, if it
        was changed while they were being confirmed, and the client asked for no version of it."""
        if answer.status == 412 and b"if-match" not in routed.request.headers.seen:
            try:
                return await self._confirmed(routed, _value(routed), parameters)
            except RefusedError:
                return None
        closed = _closed_of(answer) if answer.status == 409 else None
        if not closed:
            return None
        again = await self._checks.confirm_again(closed, attached.checked, routed.request.caller)
        return None if again is None else Attached(again, versions=attached.versions)


def _found(routed: Routed, value: Any, parameters: Mapping[str, str]) -> list[Found]:
    request, operation = routed.request, routed.operation
    query: dict[str, str] = {}
    if operation.query_references:
        query = dict(parse_qsl(request.query.decode("latin-1"), max_num_fields=QUERY_FIELDS_MAX))
    return find(operation, parameters=parameters, query=query, body=value, caller=request.caller)


def _value(routed: Routed) -> Any:
    """The body's value, if references are to be found in it. Raises InvalidRequest, UnsupportedMediaType."""
    operation = routed.operation
    return None if operation.body is None and not operation.asks_service else _parsed(routed)


def _parsed(routed: Routed) -> Any:
    """The body's value, None for an empty one. Raises InvalidRequest, UnsupportedMediaType."""
    return parse_content(routed.request.headers.text(b"content-type") or "", routed.body.first)


def _may_be_mended(exchange: Exchange, attached: Attached) -> bool:
    status = exchange.status
    wanted = status in (409, 428) or (status == 412 and attached.versions is not None)
    return wanted and is_problem(exchange.headers)


def _closed_of(answer: SmallAnswer) -> list[tuple[str, str, str]] | None:
    """The references that a `reference-closed` names; None if it is another refusal."""
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict) or document.get("code") != ReferenceClosed.code:
        return None
    closed = document.get("closed")
    if not isinstance(closed, list) or not 0 < len(closed) <= CLOSED_MAX:
        return None
    named = [
        (one["relationship"], one["parent"], one["id"])
        for one in closed
        if isinstance(one, dict)
        and one.keys() >= _NAMES_ONLY
        and all(isinstance(one[name], str) for name in _NAMES_ONLY)
    ]
    return named if len(named) == len(closed) else None
