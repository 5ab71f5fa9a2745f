"""Builds a service: each `create_app` is one call of `build_service`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kit.clock import Clock, SystemClock
from kit.documents import Stored
from kit.errors import render_http_exception
from kit.health import health_routes
from kit.idempotency import PURGE_INTERVAL_S, Idempotency, IdempotencyRecord
from kit.middleware import RequestMiddleware
from kit.openapi import build_document, check_planners
from kit.process import run
from kit.references.audits.audit_endpoints import AUDIT_RECORDS, audit_router
from kit.references.checks import check_service
from kit.references.deletes.children_endpoints import children_router
from kit.references.deletes.deleting import Deleter, check_deleters, deleted_entities
from kit.references.deletes.deletion_endpoints import deletion_router
from kit.references.deletes.deletion_records import PURGE_INTERVAL_S as DELETIONS_INTERVAL_S
from kit.references.deletes.parts import SWEEP_INTERVAL_S as PARTS_INTERVAL_S
from kit.references.endpoints import reference_router
from kit.references.guarded import References
from kit.references.planning import Planner
from kit.references.publication import publish
from kit.references.reaper import INTERVAL_S as REAPER_INTERVAL_S
from kit.references.removal_endpoints import removal_router
from kit.routing import RequestRules, Started
from kit.runtime import Runtime
from kit.settings import ServiceSettings
from kit.store import Store, StoreClient, StoreUnavailable
from kit.telemetry import Metrics
from kit.workers import Worker, WorkerGroup

__all__ = ["Runtime", "build_service", "run"]

STORE_RETRY_S = 0.25
_TELEMETRY_OFF: Any = {"tracing": False, "metrics": False, "logs": False}
_log = structlog.get_logger("kit.service")

Workers = Callable[[Runtime], Sequence[Worker]]
OnStart = Callable[[FastAPI, Runtime], AbstractAsyncContextManager[None]]


def build_service(
    *,
    name: str,
    version: str,
    settings: ServiceSettings,
    documents: Sequence[type[Stored]],
    routers: Sequence[APIRouter],
    client: StoreClient | None = None,
    clock: Clock | None = None,
    workers: Workers | None = None,
    on_start: OnStart | None = None,
    planners: Mapping[str, Planner] | None = None,
    deleters: Mapping[str, Deleter] | None = None,
    description: str = "",
    tags: Sequence[dict[str, Any]] = (),
) -> FastAPI:
    """The app of a service. Nothing is connected before its lifespan starts; wrong declarations are refused here.

    `client` is a store of the caller's, who closes it; without one the service connects to `settings.store_url`.
    `workers` and `on_start` get the runtime once the store is there; `on_start` may keep its own at `app.state`.
    `planners` name the parents that an operation with `x-reference-require` has conditions on, `deleters` say what an
    operation with `x-reference-delete` is about, by operation id. Raises DeclarationError and RouteRefused.
    """
    check_service(documents)
    metrics = Metrics(name, version)
    plan = _Plan(name, settings, tuple(documents), client, clock or SystemClock(), workers, on_start)
    app = FastAPI(
        title=f"OmniTrade {name}",
        version=version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=plan.lifespan,
        telemetry=_TELEMETRY_OFF,
    )
    # Routes are taken as they are: an included router is matched twice per request, and its routes are built anew.
    entities: dict[str, str] = {}
    for router in (*routers, *_internal_routers(planners or {}, deleters or {}, entities)):
        app.router.routes.extend(router.routes)
    document = build_document(
        service=name, version=version, description=description, tags=tags, routes=app.router.routes
    )
    digests = publish(document, documents)
    check_planners(document, planners or {})
    entities |= deleted_entities(document)
    check_deleters(entities, deleters or {})
    app.openapi = lambda: document  # type: ignore[method-assign]  # FastAPI's own way to give a document of one's own
    app.router.routes.extend([*health_routes(metrics, plan.ping), _document_route(document)])
    app.state.metrics = metrics
    app.state.rules = plan.rules = RequestRules(
        service=name,
        gateway_keys=settings.gateway_key_list,
        body_bytes_max=settings.body_bytes_max,
        request_timeout_s=settings.request_timeout_s,
        reference_digests=digests,
    )
    app.add_exception_handler(HTTPException, render_http_exception)
    app.add_middleware(RequestMiddleware, metrics=metrics, requests_max=settings.requests_max)
    return app


def _internal_routers(
    planners: Mapping[str, Planner], deleters: Mapping[str, Deleter], entities: Mapping[str, str]
) -> tuple[APIRouter, ...]:
    """What the gateway asks."""
    return (
        reference_router(planners),
        deletion_router(deleters, entities),
        children_router(),
        removal_router(),
        audit_router(),
    )


def _document_route(document: dict[str, Any]) -> Route:
    body = orjson.dumps(document)

    async def openapi(_: Request) -> Response:
        return Response(body, media_type="application/json")

    return Route("/openapi.json", openapi, include_in_schema=False)


@dataclass
class _Plan:
    """What starts and stops with the app."""

    name: str
    settings: ServiceSettings
    documents: tuple[type[Stored], ...]
    client: StoreClient | None
    clock: Clock
    workers: Workers | None
    on_start: OnStart | None
    rules: RequestRules | None = field(default=None)
    runtime: Runtime | None = field(default=None)

    async def ping(self) -> None:
        """Raises if the store does not answer, or is not connected."""
        if self.runtime is None or not await self.runtime.store.ping():
            raise StoreUnavailable

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        assert self.rules is not None  # noqa: S101 (set by build_service)
        async with AsyncExitStack() as stack:
            client = self.client
            if client is None:
                client = await connect_store(self.settings)
                stack.push_async_callback(client.close)
            store = client.database(self.settings.database_name)
            await store.prepare([*self.documents, *References.records, *AUDIT_RECORDS, IdempotencyRecord])
            cursor_key = self.settings.cursor_key.get_secret_value().encode()
            references = self._references(store)
            await references.start()
            stack.push_async_callback(references.stop)
            runtime = Runtime(self.name, self.settings, store, references, self.clock, cursor_key)
            idempotency = Idempotency(store, cursor_key, self.clock)
            self.runtime = app.state.runtime = runtime
            stack.callback(self._forget)
            if self.on_start is not None:
                await stack.enter_async_context(self.on_start(app, runtime))
            own = [
                Worker("idempotency purge", PURGE_INTERVAL_S, idempotency.purge),
                Worker("reference reaper", REAPER_INTERVAL_S, references.reaper.run_once),
                Worker("parts without aggregate", PARTS_INTERVAL_S, references.parts.sweep),
                Worker("old deletions", DELETIONS_INTERVAL_S, references.deletions.records.purge),
            ]
            await stack.enter_async_context(WorkerGroup([*own, *(self.workers(runtime) if self.workers else ())]))
            self.rules.start(Started(runtime, idempotency))
            _log.info("ready", database=store.name)
            yield
            self.rules.start(None)

    def _references(self, store: Store) -> References:
        consent = self.settings.reference_consent
        return References(store, self.documents, clock=self.clock, service=self.name, consent=consent)

    def _forget(self) -> None:
        self.runtime = None


async def connect_store(settings: ServiceSettings) -> StoreClient:
    """Waits up to `store_wait_s` for a store that is starting too. Raises StoreUnavailable after that."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + settings.store_wait_s
    while True:
        try:
            return await StoreClient.connect(settings.store_url)
        except StoreUnavailable:
            if loop.time() >= give_up_at:
                raise
            _log.info("waiting for the store")
            await asyncio.sleep(STORE_RETRY_S)
