"""The path of a request inside a service. Every service router is `APIRouter(route_class=KitRoute)`.

In this order: the gateway's context (401, or 428 for a write with references), the body within its limit, its hash
and the digest of the operation's references, strict JSON, the idempotency record, the names in the query, the
operation within its deadline, its answer or the problem that it raised.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from kit.bodies import ReadRequest, parse_body, read_body, refuse_fields
from kit.context import HEADER_NAME, REFUSED, InvalidContext, RequestContext, body_digest, verify_context
from kit.idempotency import HEADER_NAME as KEY_HEADER_NAME
from kit.idempotency import Attempt, Idempotency
from kit.ids import new_id
from kit.problems import (
    DeadlineExceeded,
    InternalError,
    Problem,
    ReferencesNotValidated,
    Unauthenticated,
    Unavailable,
)
from kit.queries import check_query, query_names
from kit.responses import problem_response
from kit.runtime import Runtime
from kit.validation import invalid_request

PUBLIC: dict[str, Any] = {"security": []}
"""`openapi_extra` of an operation that an anonymous caller may use. It still needs the gateway's context."""

WITHOUT_IDEMPOTENCY: dict[str, Any] = {"x-idempotency-key": False}
"""`openapi_extra` of a POST that takes no Idempotency-Key."""

TAKES_FORM: dict[str, Any] = {"x-form-body": True}
"""`openapi_extra` of an operation that takes its body as a form too; the schema sees the form's fields as strings."""

BODY_BYTES_MAX = "x-body-bytes-max"
SECRET_FIELDS = "x-secret-fields"  # noqa: S105 (the name of an extension)
FINISH_TIMEOUT_S = 2.0
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_log = structlog.get_logger("kit.routing")

T = TypeVar("T")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class Started:
    """What is there once the service's store is."""

    runtime: Runtime
    idempotency: Idempotency


@dataclass(slots=True)
class RequestRules:
    """What every route of one app needs, at `app.state.rules`. `reference_digests` are by operation id, of the
    operations that declare references."""

    service: str
    gateway_keys: tuple[bytes, ...]
    body_bytes_max: int
    request_timeout_s: float
    reference_digests: Mapping[str, str]
    _started: Started | None = None

    def start(self, started: Started | None) -> None:
        self._started = started

    @property
    def started(self) -> Started:
        if self._started is None:
            raise Unavailable("The service is starting or stopping.")
        return self._started


class KitRoute(APIRoute):
    """Verifies the context, reads and checks the body, keeps idempotency and deadlines, and renders every refusal."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        # Most routes are not the one: they are passed over by the pattern alone.
        if not scope.get("root_path") and self.path_regex.match(scope["path"]) is None:
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Handler:
        extra = self.openapi_extra or {}
        methods = self.methods or set()
        steps = _Steps(
            operation_id=self.unique_id,
            operation=super().get_route_handler(),
            query_names=query_names(self.dependant),
            reads_body=not _WRITES.isdisjoint(methods),
            has_schema=self.body_field is not None,
            takes_request=self.dependant.request_param_name is not None,
            form=bool(extra.get("x-form-body")),
            bytes_max=extra.get(BODY_BYTES_MAX),
            idempotent="POST" in methods and extra.get("x-idempotency-key", True),
            secret_fields=frozenset(extra.get(SECRET_FIELDS, ())),
        )
        return steps.handle


@dataclass(frozen=True, slots=True)
class _Steps:
    operation_id: str
    operation: Handler
    query_names: frozenset[str]
    reads_body: bool
    has_schema: bool
    takes_request: bool
    form: bool
    bytes_max: int | None
    idempotent: bool
    secret_fields: frozenset[str]

    async def handle(self, request: Request) -> Response:
        try:
            return await self._handle(request)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 (every failure becomes a problem document)
            return render(request, error)

    async def _handle(self, request: Request) -> Response:
        rules: RequestRules = request.app.state.rules
        context = self._verify(request, rules)
        state = request.scope["state"]
        state["context"] = context
        state["request_id"] = context.request_id
        body = await read_body(request, self.bytes_max or rules.body_bytes_max) if self.reads_body else b""
        self._check_signed(context, body, rules)
        value = None
        if self.reads_body and not (self.takes_request and not self.has_schema):
            value = parse_body(request, body, form=self.form)
            if not self.has_schema:
                refuse_fields(value)
        request = ReadRequest(request, body, value)
        key = request.headers.get(KEY_HEADER_NAME) if self.idempotent else None
        if key is None:
            if context.replay_only:
                raise ReferencesNotValidated("There is nothing to replay without an Idempotency-Key.")
            state["resource_id"] = new_id()
            return await _in_time(_left_s(context, rules), self.answer(request))
        return await self._answer_once(request, context, rules, key, body)

    async def answer(self, request: Request) -> Response:
        check_query(request.scope["query_string"], self.query_names)
        return await self.operation(request)

    def _verify(self, request: Request, rules: RequestRules) -> RequestContext:
        scope = request.scope
        clock = rules.started.runtime.clock
        try:
            return verify_context(
                request.headers.get(HEADER_NAME, ""),
                rules.gateway_keys,
                audience=rules.service,
                method=scope["method"],
                path=signed_path(request),
                now=clock.now(),
            )
        except InvalidContext as error:
            scope["state"]["reason"] = str(error)
            if self.reads_body and self.operation_id in rules.reference_digests:
                raise ReferencesNotValidated(
                    "Send the request to the gateway, which validates its references.", headers=REFUSED
                ) from None
            detail = "Send the request to the gateway; this service answers nobody else."
            raise Unauthenticated(detail, headers=REFUSED) from None

    def _check_signed(self, context: RequestContext, body: bytes, rules: RequestRules) -> None:
        """The body and the references must be those that were validated; 428 if this replica declares others."""
        digest = rules.reference_digests.get(self.operation_id) if self.reads_body else None
        if self.reads_body and context.references_digest != digest:  # also where this version declares none
            raise ReferencesNotValidated(
                "The gateway validated other references than this version declares, as during a deploy: send it again."
            )
        if digest is not None and context.body_sha256 is None:
            raise ReferencesNotValidated("The gateway did not sign the body.")
        if context.body_sha256 is not None and context.body_sha256 != body_digest(body):
            raise ReferencesNotValidated("The body is not the one that the gateway validated.")

    async def _answer_once(
        self, request: Request, context: RequestContext, rules: RequestRules, key: str, body: bytes
    ) -> Response:
        idempotency, left_s = rules.started.idempotency, _left_s(context, rules)
        scope = (context.caller.id or "", context.method, request.scope["path"])
        content = request.scope["query_string"] + b"\0" + body
        begin = idempotency.begin(key, scope, content, lease_s=left_s, replay_only=context.replay_only)
        begun = await _in_time(left_s, begin)
        if isinstance(begun, Response):
            return begun
        request.scope["state"]["resource_id"] = begun.resource_id
        try:
            response = await _in_time(_left_s(context, rules), self.answer(request))
        except Exception as error:  # noqa: BLE001 (rendered here, since the answer may have to be kept)
            response = render(request, error)
        await self._finish(idempotency, begun, request, response)
        return response

    async def _finish(self, idempotency: Idempotency, attempt: Attempt, request: Request, response: Response) -> None:
        """A failure here costs only the replay: the lease runs out, and the next try takes over with the same id."""
        code = request.scope["state"].get("problem_code")
        try:
            async with asyncio.timeout(FINISH_TIMEOUT_S):
                await idempotency.finish(attempt, response, code=code, secret_fields=self.secret_fields)
        except (Problem, TimeoutError):
            _log.warning("answer not kept for replay", operation=self.operation_id, exc_info=True)


def _left_s(context: RequestContext, rules: RequestRules) -> float:
    """Seconds until the deadline; raises DeadlineExceeded if there are none."""
    left_s = context.deadline / 1000 - rules.started.runtime.clock.now().timestamp()
    if left_s <= 0:
        raise DeadlineExceeded
    return min(left_s, rules.request_timeout_s)


async def _in_time(left_s: float, work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(left_s) as timeout:
            return await work
    except TimeoutError:
        if timeout.expired():
            raise DeadlineExceeded from None
        raise


def signed_path(request: Request) -> str:
    """The path with its query, byte for byte as it was sent."""
    scope = request.scope
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")


def render(request: Request, error: Exception) -> Response:
    """The problem document for whatever was raised. What nobody expected is logged and says nothing."""
    if isinstance(error, Problem):
        return problem_response(request, error)
    if isinstance(error, RequestValidationError):
        return problem_response(request, invalid_request(error.errors(), error.body))
    _log.error("unhandled error", exc_info=error)
    return problem_response(request, InternalError())
