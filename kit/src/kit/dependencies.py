"""What an operation may ask for as a parameter: `async def create_bot(caller: CallerDep, body: BotCreate, …)`."""

from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request

from kit.context import RequestContext
from kit.identity import Caller
from kit.paging import CURSOR_LENGTH_MAX, LIMIT_DEFAULT, LIMIT_MAX, PageRequest
from kit.preconditions import parse_if_match
from kit.references.attached import Attached
from kit.runtime import Runtime


async def _runtime(request: Request) -> Any:
    return request.app.state.runtime


async def _context(request: Request) -> Any:
    return request.state.context


async def _caller(request: Request) -> Any:
    return request.state.context.caller


async def _attached(request: Request) -> Any:
    return Attached(request.state.context.references)


async def _resource_id(request: Request) -> Any:
    return request.state.resource_id


async def _if_match(
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="The ETag that the change is meant for.")
    ] = None,
) -> int | None:
    return parse_if_match(if_match)


async def _paging(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
    cursor: Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX)] = None,
    sort: Annotated[str | None, Query(max_length=64, description="A field; descending with - in front.")] = None,
) -> PageRequest:
    return PageRequest(limit=limit, cursor=cursor, sort=sort)


RuntimeDep = Annotated[Runtime, Depends(_runtime)]
ContextDep = Annotated[RequestContext, Depends(_context)]
CallerDep = Annotated[Caller, Depends(_caller)]
AttachedDep = Annotated[Attached, Depends(_attached)]
IfMatch = Annotated[int | None, Depends(_if_match)]
Paging = Annotated[PageRequest, Depends(_paging)]
ResourceId = Annotated[str, Depends(_resource_id)]
"""The id of what this request creates, or of the action it is. With an Idempotency-Key it is the same in every try."""
