"""The gateway's own operations, beside the pages that are files: found by path, described in the merged document."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.identity import Identity
from gateway.request import Body, Request, RequestTimeout
from kit.bodies import parse_content, refuse_fields
from kit.problems import DeadlineExceeded, FieldError, InvalidRequest, MethodNotAllowed, Problem, Unauthenticated
from kit.queries import check_query
from kit.responses import documented

BODY_BYTES_MAX: Final = 256 * 1024
BODY_TIMEOUT_S: Final = 10.0
HEAD_SEGMENTS: Final = 3
"""So many segments are the same in all paths that a template stands for: "", "v1" and a noun."""
Handler = Callable[[Request, Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class OwnOperation:
    """`handle` gets the request, its caller signed in, and the values of the template's variables; `said` is the
    OpenAPI operation. A query or a body that this doesn't describe is refused before `handle`."""

    method: str
    path: str
    handle: Handler
    said: Mapping[str, Any]

    @property
    def query_names(self) -> frozenset[str]:
        return frozenset(one["name"] for one in self.said.get("parameters", ()) if one["in"] == "query")

    @property
    def refuses_body(self) -> bool:
        return self.method != "GET" and "requestBody" not in self.said


class OwnApi:
    """Templates as OpenAPI writes them: `/v1/deletions/{deletionId}`. An operation that has to say how far it came ends
    before `timeout_s`; any other is given up then."""

    def __init__(self, identity: Identity, operations: Iterable[OwnOperation], *, timeout_s: float) -> None:
        self._identity = identity
        self._timeout_s = timeout_s
        self._methods: dict[str, dict[str, OwnOperation]] = {}
        for one in operations:
            self._methods.setdefault(one.path, {})[one.method] = one
        self._segments = {path: path.split("/") for path in self._methods}
        self._heads = {tuple(segments[:HEAD_SEGMENTS]) for segments in self._segments.values()}

    def find(self, path: str) -> tuple[str, dict[str, str]] | None:
        """The template that a path fits, fixed segments before variable ones, and its variables' values."""
        given = path.split("/")
        if tuple(given[:HEAD_SEGMENTS]) not in self._heads:  # most requests are for a service
            return None
        fitting = [
            (template, values)
            for template, segments in self._segments.items()
            if (values := _values(segments, given)) is not None
        ]
        return min(fitting, key=lambda one: (len(one[1]), one[0])) if fitting else None

    async def answer(self, request: Request, template: str, values: Mapping[str, str]) -> None:
        """Raises Problem: MethodNotAllowed, Unauthenticated, InvalidRequest, DeadlineExceeded, and what the operation
        refuses."""
        methods = self._methods[template]
        operation = methods.get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            allowed = ", ".join(sorted(methods))
            raise MethodNotAllowed(f"This path takes {allowed}.", headers={"Allow": allowed})
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                await self._handle(request, operation, values)
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeadlineExceeded("It was given up; what was done of it by then stays done. Try again.") from None

    async def _handle(self, request: Request, operation: OwnOperation, values: Mapping[str, str]) -> None:
        authorization = request.headers.seen.get(b"authorization")
        request.caller = await self._identity.caller(authorization, required=True)
        check_query(request.query, operation.query_names)
        if operation.refuses_body:
            refuse_fields(await read_object(request))
        await operation.handle(request, values)

    def documented(self) -> dict[str, dict[str, Any]]:
        """Path items for the merged document."""
        return {
            path: {method.lower(): dict(one.said) for method, one in methods.items()}
            for path, methods in self._methods.items()
        }


def refusals(*problems: type[Problem]) -> dict[str, Any]:
    """Entries of an operation's `responses`, with those that all have."""
    return {str(status): said for status, said in documented(Unauthenticated, DeadlineExceeded, *problems).items()}


async def read_object(request: Request, *, bytes_max: int = BODY_BYTES_MAX) -> dict[str, Any]:
    """The body's JSON object, empty where nothing was sent. Raises InvalidRequest, UnsupportedMediaType,
    PayloadTooLarge, RequestTimeout."""
    body = Body(request.receive, bytes_max)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            await body.begin(request.headers)
            content = await body.read()
    except TimeoutError:
        raise RequestTimeout("The body did not come in time.") from None
    if not content:
        return {}
    value = parse_content(request.headers.text(b"content-type") or "", content)
    if not isinstance(value, dict):
        raise InvalidRequest("Send an object.", errors=[FieldError("", "wrong-type", "It is no object.")])
    return value


def _values(segments: list[str], given: list[str]) -> dict[str, str] | None:
    if len(segments) != len(given):
        return None
    values: dict[str, str] = {}
    for segment, one in zip(segments, given, strict=True):
        if segment.startswith("{"):
            if not one:
                return None
            values[segment[1:-1]] = one
        elif segment != one:
            return None
    return values
