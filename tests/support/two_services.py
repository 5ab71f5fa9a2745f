"""Two real services behind gateways, on one store: the office, and the people who work in it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from office import room
from office_service import KEY as OFFICE_KEY
from office_service import office_app
from people_service import PEOPLE_KEY, people_app
from stub_platform import ALICE, Issuer
from stub_services import HttpServer, free_port, serving
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.app import Gateway, create_app
from gateway.server import limited_protocol
from gateway.settings import GatewaySettings
from kit.store import Store, StoreClient


class Served:
    """A service whose lifespan goes on while its port may be closed and opened again."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.port = free_port()
        self._server: HttpServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> Store:
        found: Store = self.app.state.runtime.store
        return found

    async def up(self) -> None:
        self._server = HttpServer(self.app, HttpToolsProtocol)
        await self._server.start(self.port)

    async def down(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None


@dataclass
class TwoServices:
    """`apps` are its gateways, `port` is that of the last."""

    people: Served
    office: Served
    issuer: Issuer
    folder: Path
    apps: list[Gateway] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def served(self, **settings: Any) -> AsyncIterator[None]:
        """A gateway of its own."""
        given: dict[str, Any] = {
            "services": f"people={self.people.url} office={self.office.url}",
            "gateway_keys": f"people={PEOPLE_KEY} office={OFFICE_KEY}",
            "identity_service": "people",
            "data_dir": self.folder,
            "document_interval_s": 0.2,
            **settings,
        }
        made = GatewaySettings(**given)
        app = create_app(made)
        self.apps.append(app)
        async with serving(app, limited_protocol(made.header_bytes_max)) as self.port:
            yield

    def client(self, user_id: str = ALICE, *roles: str) -> httpx.AsyncClient:
        token = self.issuer.token(user_id, roles or ("user",))
        headers = {"authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30)


@asynccontextmanager
async def two_services(folder: Path, client: StoreClient) -> AsyncIterator[tuple[Served, Served, Issuer]]:
    """The people, the office with its room, and who issues tokens."""
    issuer = Issuer()
    people, office = Served(people_app(folder, client, issuer)), Served(office_app(folder, client))
    async with AsyncExitStack() as stack:
        for one in (people, office):
            await stack.enter_async_context(one.app.router.lifespan_context(one.app))
            await one.up()
            stack.push_async_callback(one.down)
        await office.app.state.runtime.references.create(room())
        yield people, office, issuer
