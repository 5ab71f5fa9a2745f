"""What runs while the gateway does: made at start, closed in the opposite order."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

import structlog

from gateway.answers_cache import AnswersCache
from gateway.catalogue import Catalogue
from gateway.client import Address, SmallAnswer, Upstream
from gateway.deletion.running import Deletion
from gateway.discovery import Discovery
from gateway.forwarding import Forwarder
from gateway.health import Readiness
from gateway.identity import Identity
from gateway.integrity.running import Integrity
from gateway.internal import InternalCalls
from gateway.jwks import BYTES_MAX as JWKS_BYTES_MAX
from gateway.jwks import PATH as JWKS_PATH
from gateway.jwks import KeySet
from gateway.membership.operators import Operators
from gateway.membership.page import ReferencesPage
from gateway.membership.registries import RegistryReader
from gateway.merged_openapi import MergedDocument
from gateway.metrics import GatewayMetrics
from gateway.own_api import OwnApi, OwnOperation
from gateway.pages import Pages
from gateway.proxy import Proxy
from gateway.references import ReferenceChecks
from gateway.registration import Registration
from gateway.settings import GatewaySettings
from gateway.validation import Validation
from kit.clock import Clock, SystemClock
from kit.identity import Caller
from kit.workers import Worker, WorkerGroup

HOUSEKEEPING_S: Final = 5.0
JWKS_TIMEOUT_S: Final = 3.0
FIRST_READING_S: Final = 2.0
"""So long the start waits for the services' documents, so that a gateway that takes requests can route them."""
_log = structlog.get_logger("gateway.lifecycle")

UpstreamMaker = Callable[[str, Sequence[Address]], Upstream]


class Running:
    """One run of the gateway. Must be made inside the event loop."""

    def __init__(
        self, settings: GatewaySettings, *, upstream: UpstreamMaker = Upstream, clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        keys = settings.signing_keys()
        self.metrics = GatewayMetrics()
        self._upstreams = {name: upstream(name, addresses) for name, addresses in settings.addresses.items()}
        self._calls = {name: InternalCalls(one, keys[name], clock=clock) for name, one in self._upstreams.items()}
        self._identity_calls = self._calls[settings.identity_service]
        self.discovery = Discovery(self._upstreams, settings, self._changed, self.metrics.document_read)
        self._registration = Registration(self._calls, lambda: self.catalogue)
        self._validation = Validation(
            self._calls,
            self._registration,
            AnswersCache(kept_s=settings.validation_kept_s, answers_max=settings.validations_kept_max),
            catalogue=lambda: self.catalogue,
            timeout_s=settings.validation_timeout_s,
            metrics=self.metrics,
        )
        self._keys = KeySet(self._fetch_keys, interval_s=settings.unknown_key_interval_s)
        self.readiness = Readiness(self.discovery, grace_s=settings.ready_grace_s)
        identity = Identity(
            self._keys,
            issuer=settings.issuer,
            audience=settings.audience,
            tokens_max=settings.tokens_kept_max,
            clock=clock,
        )
        complete = self._registration.complete
        self.deletion = Deletion(self._calls, lambda: self.catalogue, settings, self.metrics, complete=complete)
        self.integrity = self._made_integrity(settings)
        api = OwnApi(identity, self._own_operations(settings), timeout_s=settings.request_timeout_s)
        self.merged = MergedDocument(lambda: self.catalogue, api.documented())
        self.pages = Pages(readiness=self.readiness, metrics=self.metrics, merged=self.merged, api=api)
        self.proxy = Proxy(
            identity=identity,
            checks=ReferenceChecks(self._validation, lambda: self.catalogue),
            forwarder=Forwarder(
                self._upstreams,
                keys,
                timeout_s=settings.request_timeout_s,
                idle_timeout_s=settings.idle_timeout_s,
                failed=self.metrics.upstream_failed,
                clock=clock,
            ),
            deletes=self.deletion.door,
            calls=self._calls,
            catalogue=lambda: self.catalogue,
            body_bytes_max=settings.body_bytes_max,
            hint=self.discovery.hint,
        )
        self._running = AsyncExitStack()
        keeper = Worker("key set", HOUSEKEEPING_S, self._keep_keys)
        self._workers = WorkerGroup([keeper, self.deletion.worker, self.integrity.worker])

    @property
    def catalogue(self) -> Catalogue:
        return self.discovery.assembly.catalogue

    def _own_operations(self, settings: GatewaySettings) -> list[OwnOperation]:
        references = self._references_page(settings).operations()
        return [*references, self.deletion.page.operation(), *self.integrity.operations()]

    def _made_integrity(self, settings: GatewaySettings) -> Integrity:
        def begin_delete(deletion_id: str, caller: Caller) -> None:
            self.deletion.coordinator.begin(deletion_id, caller=caller)

        return Integrity(
            self._calls,
            lambda: self.catalogue,
            settings,
            self.metrics.registry,
            ensure=self._registration.ensure,
            begin_delete=begin_delete,
        )

    def _references_page(self, settings: GatewaySettings) -> ReferencesPage:
        reader = RegistryReader(self._calls, self._registration, lambda: self.catalogue)
        operators = Operators(
            self._calls, self._registration, reader, lambda: self.catalogue, timeout_s=settings.request_timeout_s
        )
        return ReferencesPage(reader, operators, lambda: self.catalogue)

    async def start(self) -> None:
        self.readiness.start(asyncio.get_running_loop().time())
        self.discovery.start()
        self._keys.refresh_if_due()
        await self._running.enter_async_context(self._workers)
        await self.discovery.first_reading(FIRST_READING_S)
        _log.info("started", services=sorted(self._upstreams), without_document=list(self.catalogue.missing))

    def hurry(self) -> None:
        """Whoever waits for what would end without him is answered."""
        self.deletion.patience.end()

    async def stop(self) -> None:
        """The server has finished the requests by now."""
        await self._running.aclose()
        await self.integrity.stop()
        await self.deletion.stop()
        await self.discovery.stop()
        await self._registration.stop()
        await self._keys.stop()
        for upstream in self._upstreams.values():
            await upstream.close()
        _log.info("stopped")

    def _changed(self, service: str) -> None:
        _log.info("catalogue changed", by=service, entities=len(self.catalogue.owners))
        self._validation.clear()
        self._registration.changed()

    async def _fetch_keys(self) -> SmallAnswer:
        return await self._identity_calls.get(JWKS_PATH, timeout_s=JWKS_TIMEOUT_S, body_bytes_max=JWKS_BYTES_MAX)

    async def _keep_keys(self) -> None:
        self._keys.refresh_if_due()
