"""Problems for what no route answers: unknown paths, and methods that a path does not take."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from kit.problems import InternalError, InvalidRequest, MethodNotAllowed, NotFound, Problem
from kit.responses import problem_response


async def render_http_exception(request: Request, error: Exception) -> Response:
    return problem_response(request, _problem_of(request, error))


def _problem_of(request: Request, error: Exception) -> Problem:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return NotFound("There is nothing at this path.")
    if status == 405:
        allowed = allowed_methods(request)
        return MethodNotAllowed(f"The path takes {', '.join(allowed)}.", headers={"Allow": ", ".join(allowed)})
    if 400 <= status < 500:
        return InvalidRequest("The request cannot be read.")
    return InternalError()


def allowed_methods(request: Request) -> list[str]:
    """The methods of all routes at the request's path; a router tells only the first route's."""
    allowed: set[str] = set()
    for route in request.app.router.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            allowed |= route.methods or set()
    return sorted(allowed)
