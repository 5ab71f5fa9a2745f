"""Reads every service's document at start and again while running, and hands good ones to whoever routes by them."""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from gateway.assembly import Assembly
from gateway.client import Upstream
from gateway.documents import read_document
from gateway.reference_spec import DocumentRefusedError
from gateway.settings import GatewaySettings
from gateway.upstream_errors import UpstreamError

PATH: Final = "/openapi.json"
FETCH_TIMEOUT_S: Final = 5.0
RETRY_S_MIN: Final = 0.25
RETRY_S_MAX: Final = 5.0
HINT_INTERVAL_S: Final = 1.0
_random = secrets.SystemRandom()
_log = structlog.get_logger("gateway.discovery")


@dataclass(slots=True)
class ServiceState:
    """How the last reading of a service's document went. `problem` is None after a good one."""

    problem: str | None = "not read yet"
    checked_at: str | None = None
    etag: str | None = None
    digest: str | None = None


class Discovery:
    """`on_change` is called with the service whose document changed the catalogue, `on_read` after every reading,
    with the service and whether it was `good`."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        settings: GatewaySettings,
        on_change: Callable[[str], None],
        on_read: Callable[..., None],
    ) -> None:
        self.assembly = Assembly(list(upstreams))
        self.states = {name: ServiceState() for name in upstreams}
        self._upstreams = upstreams
        self._interval_s = settings.document_interval_s
        self._bytes_max = settings.document_bytes_max
        self._on_change = on_change
        self._on_read = on_read
        self._hints = {name: asyncio.Event() for name in upstreams}
        self._hinted_at = dict.fromkeys(upstreams, 0.0)
        self._all_read = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._follow(name)) for name in self._upstreams]

    async def first_reading(self, timeout_s: float) -> None:
        """Waits until every service's document was asked for once, good or not, or until `timeout_s` is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._all_read.wait()
        except TimeoutError:
            pass

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hint(self, service: str) -> None:
        """The service behaves as if its document were another: read it again soon, once a second at most."""
        now = asyncio.get_running_loop().time()
        if now - self._hinted_at[service] >= HINT_INTERVAL_S:
            self._hinted_at[service] = now
            self._hints[service].set()

    async def _follow(self, service: str) -> None:
        retry_s = RETRY_S_MIN
        while True:
            try:
                await self.read(service)
            except Exception:  # noqa: BLE001 (a bug here must not end the reading for good)
                _log.exception("reading a document failed", of=service)
                self.states[service].problem = "internal error of the gateway"
            if self.states[service].problem is None:
                pause_s, retry_s = self._interval_s, RETRY_S_MIN
            else:
                pause_s, retry_s = retry_s, min(retry_s * 2, RETRY_S_MAX, self._interval_s)
            hint = self._hints[service]
            try:
                async with asyncio.timeout(pause_s * _random.uniform(0.8, 1.2)):
                    await hint.wait()
            except TimeoutError:
                pass
            hint.clear()

    async def read(self, service: str) -> None:
        """One reading. What is wrong is kept in the service's state, and logged when it is news."""
        state = self.states[service]
        before = state.problem
        try:
            await self._read(service, state)
        except UpstreamError as error:
            state.problem = f"the document cannot be read: {error}"
        except DocumentRefusedError as error:
            state.problem = f"the document is refused: {error}"
        state.checked_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._on_read(service, good=state.problem is None)
        if all(one.checked_at is not None for one in self.states.values()):
            self._all_read.set()
        if state.problem is not None and state.problem != before:
            _log.warning("no good document", of=service, reason=state.problem)

    async def _read(self, service: str, state: ServiceState) -> None:
        headers = [("accept", "application/json")]
        if state.etag is not None:
            headers.append(("if-none-match", state.etag))
        answer = await self._upstreams[service].fetch(
            "GET", PATH, headers=headers, timeout_s=FETCH_TIMEOUT_S, body_bytes_max=self._bytes_max
        )
        if answer.status != 304:
            if answer.status != 200:
                raise DocumentRefusedError(f"the service answers {answer.status} at {PATH}")
            etag = answer.header(b"etag")
            state.etag = etag.decode("latin-1") if etag is not None else None
            digest = hashlib.sha256(answer.body).hexdigest()
            if digest != state.digest:
                await self._offer(service, answer.body, digest)
                state.digest = digest
        refused = self.assembly.refused.get(service)
        if refused is not None:
            raise DocumentRefusedError(refused[1])
        state.problem = None

    async def _offer(self, service: str, body: bytes, digest: str) -> None:
        try:
            # In a thread: compiling takes tens of milliseconds, and requests are being answered meanwhile.
            document = await asyncio.to_thread(read_document, service, body)
        except DocumentRefusedError as error:
            self.assembly.refuse(service, digest, str(error))
            return
        if self.assembly.offer(document):
            _log.info("document accepted", of=service, digest=digest[:12], operations=len(document.operations))
            self._on_change(service)
