"""The four applications in this process, over one store in memory, on servers with ephemeral ports."""

import asyncio
import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import structlog
import uvicorn
from mock_store import mock_client

from kit.store import StoreClient

SERVICES = ("users", "bots", "staking")
START_S = 30.0
STOP_S = 15.0
POLL_S = 0.01
ROUTED_POLL_S = 0.05
T = TypeVar("T")


class InProcessPlatform:
    """One event loop in a thread of its own runs all servers; what the services share is the store's client."""

    def __init__(self, folder: Path, prefix: str, settings: Mapping[str, str]) -> None:
        self.admin_email = "admin@omnitrade.example"
        self.admin_password = secrets.token_urlsafe(24)
        self._sockets = {name: _listening() for name in (*SERVICES, "gateway")}
        self.urls = {name: f"http://127.0.0.1:{sock.getsockname()[1]}" for name, sock in self._sockets.items()}
        self._environment = {
            "ENVIRONMENT": "development",
            "DATA_DIR": str(folder),
            "DATABASE_PREFIX": prefix,
            "ADMIN_EMAIL": self.admin_email,
            "ADMIN_PASSWORD": self.admin_password,
            "SERVICES": " ".join(f"{name}={self.urls[name]}" for name in SERVICES),
            "LOG_LEVEL": "warning",
            **settings,
        }
        self._thread = threading.Thread(target=self._run, name="in-process platform", daemon=True)
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self.store_client: StoreClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def start(self) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        self._thread.start()
        if not self._ready.wait(2 * START_S):
            raise TimeoutError(f"the applications were not ready within {START_S:g} s")
        if self._error is not None:
            raise RuntimeError("an application did not start") from self._error

    def stop(self) -> None:
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(STOP_S)
        if self._error is not None:
            raise RuntimeError("an application did not stop cleanly") from self._error

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """In the loop of the applications, whose store belongs to it."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that started or stops us
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        client = self.store_client = mock_client()
        servers: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []
        try:
            # All are made before the first starts: Beanie marks the base classes of documents that it has bound, and
            # documents declared after that would inherit the marks.
            applications = {name: self._application(name, client=client) for name in SERVICES}
            applications["gateway"] = self._application("gateway")
            for name, application in applications.items():
                started = await self._start_server(name, application)
                servers.append(started)
            await self._until_routed()
            self._ready.set()
            await self._stopping.wait()
        finally:
            for server, task in reversed(servers):
                server.should_exit = True
                await task

    async def _until_routed(self) -> None:
        """The gateway has read every service's document."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=START_S)) as session:
            said = ""
            for _ in range(round(START_S / ROUTED_POLL_S)):
                async with session.get(f"{self.urls['gateway']}/health/ready") as answer:
                    said = await answer.text()
                    if json.loads(said)["status"] == "ready":
                        return
                await asyncio.sleep(ROUTED_POLL_S)
        raise TimeoutError(f"the gateway was not ready within {START_S:g} s: {said}")

    def _application(self, name: str, **options: Any) -> Any:
        with _environment(self._environment):
            module = import_module(f"{name}.settings")
            settings = module.GatewaySettings.load() if name == "gateway" else module.load()
        return import_module(f"{name}.app").create_app(settings, **options)

    async def _start_server(self, name: str, application: Any) -> tuple[uvicorn.Server, asyncio.Task[None]]:
        config = uvicorn.Config(application, lifespan="on", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[self._sockets[name]]), name=name)
        while not server.started:
            if task.done():
                await task
                raise RuntimeError(f"{name} ended while it started")
            await asyncio.sleep(POLL_S)
        return server, task


def _listening() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    return listener


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
