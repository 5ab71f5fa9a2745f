"""The ASGI application: the gateway's own pages, routed requests, and one place where every failure becomes an
answer."""

import structlog

from gateway.access_log import account
from gateway.client import Upstream
from gateway.documents import is_private
from gateway.lifecycle import Running, UpstreamMaker
from gateway.problems import answer_problem
from gateway.request import ClientGoneError, Receive, Request, Scope, Send
from gateway.settings import GatewaySettings
from gateway.upstream_errors import UpstreamError
from kit.clock import Clock
from kit.problems import InternalError, MethodNotAllowed, NotFound, Problem, Unavailable

_log = structlog.get_logger("gateway.app")


class Gateway:
    """Nothing happens before its lifespan starts; `running` is there until it ends."""

    def __init__(
        self, settings: GatewaySettings, *, upstream: UpstreamMaker = Upstream, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self._upstream = upstream
        self._clock = clock
        self.running: Running | None = None

    def hurry(self) -> None:
        """It is to stop: the requests that run are to come to their ends."""
        if self.running is not None:
            self.running.hurry()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive, send)
            if self.running is None:
                await answer_problem(request, Unavailable("The gateway is starting or stopping."))
            else:
                await self._http(request, scope["headers"], self.running)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    async def _http(self, request: Request, headers: list[tuple[bytes, bytes]], running: Running) -> None:
        found = running.pages.find(request.path)
        running.metrics.in_flight.inc()
        try:
            request.read_headers(headers)
            if found is not None:
                await found.page(request)
            else:
                await self._routed(request, running)
        except Problem as problem:
            await _refuse(request, problem)
        except ClientGoneError:
            request.code = "client-gone"
        except UpstreamError as error:
            # The answer broke off on its way. Returning leaves it unfinished, so the server breaks the connection and
            # nobody takes it for whole.
            request.code = "answer-broken"
            _log.warning("answer broken off", reason=str(error))
        except Exception:  # noqa: BLE001 (a bug: it is logged whole, and the client is told nothing of it)
            _log.exception("unhandled error", method=request.method, path=request.path)
            await _refuse(request, InternalError())
        finally:
            running.metrics.in_flight.dec()
            account(request, running.metrics, found.label if found is not None else None)

    async def _routed(self, request: Request, running: Running) -> None:
        catalogue = running.catalogue
        route = catalogue.router.find(request.path)
        if route is None:
            if catalogue.missing and not is_private(request.path):
                raise Unavailable(
                    f"No service that is known has this path; not known yet: {', '.join(catalogue.missing)}."
                )
            raise NotFound("There is nothing at this path.")
        operation = route.methods.get(request.method)
        if operation is None:
            raise MethodNotAllowed(f"This path takes {route.allow}.", headers={"Allow": route.allow})
        await running.proxy.handle(request, operation, route)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            running = Running(self.settings, upstream=self._upstream, clock=self._clock)
            await running.start()
        except Exception as error:  # noqa: BLE001 (whatever it is, the server has to be told)
            _log.error("not started", exc_info=error)
            await send({"type": "lifespan.startup.failed", "message": type(error).__name__})
            return
        self.running = running
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.running = None
        await running.stop()
        await send({"type": "lifespan.shutdown.complete"})


async def _refuse(request: Request, problem: Problem) -> None:
    """An answer that has begun can't become another; it is left unfinished."""
    if request.started:
        request.code = problem.code
    else:
        await answer_problem(request, problem)


def create_app(settings: GatewaySettings) -> Gateway:
    """The gateway as an ASGI application with a lifespan."""
    return Gateway(settings)
