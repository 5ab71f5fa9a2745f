"""A whole platform for tests over HTTP, on the store that is asked for.

mongomock: the four applications in this process, each on a server of its own with an ephemeral port, over one store in
memory. embedded, engine: real processes on free ports; on the engine with a database prefix that is dropped afterwards.
"""

import asyncio
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from in_process import InProcessPlatform

from deploy.local.background import BackgroundPlatform
from kit.store.administration import drop_databases


class Running(Protocol):
    def stop(self) -> object: ...


@dataclass
class Platform:
    """Answers on `base_url` until `stop`; `service_urls` reach the services without the gateway."""

    base_url: str
    service_urls: dict[str, str]
    admin_email: str
    admin_password: str = field(repr=False)
    running: Running = field(repr=False)
    folder: Path = field(repr=False)
    database_prefix: str
    store_url: str | None = None

    def stop(self) -> None:
        self.running.stop()
        if self.store_url is not None:
            asyncio.run(drop_databases(self.store_url, self.database_prefix))
        shutil.rmtree(self.folder, ignore_errors=True)


def start_platform(store: str, **settings: str) -> Platform:
    """Return when everything is ready; `settings` are further environment variables of its processes."""
    folder = Path(tempfile.mkdtemp(prefix="omnitrade-test-"))
    prefix = f"test_{secrets.token_hex(4)}"
    if store == "mongomock":
        return _in_process(folder, prefix, settings)
    if store == "embedded":
        return _processes(folder, prefix, None, {**settings, "STORE_KIND": "embedded"})
    if store == "engine":
        return _processes(folder, prefix, os.environ["MONGODB_URL"], settings)
    raise ValueError(f"STORE names no store: {store}")


def _in_process(folder: Path, prefix: str, settings: dict[str, str]) -> Platform:
    running = InProcessPlatform(folder, prefix, settings)
    running.start()
    return Platform(
        base_url=running.urls["gateway"],
        service_urls={name: url for name, url in running.urls.items() if name != "gateway"},
        admin_email=running.admin_email,
        admin_password=running.admin_password,
        running=running,
        folder=folder,
        database_prefix=prefix,
    )


def _processes(folder: Path, prefix: str, store_url: str | None, settings: dict[str, str]) -> Platform:
    given = {"DATABASE_PREFIX": prefix, **({"MONGODB_URL": store_url} if store_url else {}), **settings}
    running = BackgroundPlatform.plan(folder, **given)
    running.start()
    email, password = running.admin
    return Platform(
        base_url=running.gateway_url,
        service_urls=running.service_urls,
        admin_email=email,
        admin_password=password,
        running=running,
        folder=folder,
        database_prefix=prefix,
        store_url=store_url,
    )
