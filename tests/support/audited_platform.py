"""Two real services behind a gateway, on one store in memory, for tests of audits: the office, and people with their
cards, lamps and badges, who also tell the keys of tokens."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import httpx
from fastapi import APIRouter, FastAPI
from mock_store import mock_client
from office import NOW, room
from office_service import KEY as OFFICE_KEY
from office_service import office_app
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from stub_platform import ADMIN, ALICE, Issuer
from stub_services import HttpServer, free_port, serving
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.app import Gateway, create_app
from gateway.server import limited_protocol
from gateway.settings import GatewaySettings
from kit.dependencies import IfMatch
from kit.documents import Entity, Part, Stored
from kit.identity import Caller
from kit.ids import Id
from kit.references.declaration import CASCADE, Reference
from kit.references.deletes.deleting import DeletePlan, delete_responses, deletes, refuse_direct
from kit.references.rules import Anyone, EntityRules, PartOf
from kit.routing import KitRoute
from kit.runtime import Runtime
from kit.service import build_service
from kit.settings import ServiceSettings
from kit.store import Store, StoreClient

PEOPLE_KEY = "test-gateway-key-of-the-people-service"
BadgePersonRef = Annotated[Id, Reference("people", on_delete=CASCADE)]
router = APIRouter(prefix="/v1/cards", route_class=KitRoute)


class PeopleSettings(ServiceSettings):
    service: ClassVar[str] = "people"


class Person(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="personId", referable_by=(Anyone(),), conditions=("status",))

    status: str = "active"

    class Settings:
        name = "people"


class Card(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="cardId", exposes=("personId", "cardColor"))

    # No reference: so a test may have a card of nobody.
    person_id: str
    card_color: str = "red"

    class Settings:
        name = "cards"


class Lamp(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="lampId")

    class Settings:
        name = "lamps"


class Badge(Entity):
    """A leaf: nobody may refer to it."""

    rules: ClassVar[EntityRules] = EntityRules(key="badgeId", referable_by=())

    person_id: BadgePersonRef

    class Settings:
        name = "badges"


class BadgeUse(Part):
    part_of: ClassVar[PartOf] = PartOf(entity="badges", field="badgeId")

    badge_id: Id
    door: str

    class Settings:
        name = "badge_uses"


PEOPLE_DOCUMENTS: tuple[type[Stored], ...] = (Person, Card, Lamp, Badge, BadgeUse)


@router.delete(
    "/{cardId}",
    operation_id="deleteCard",
    status_code=204,
    responses=delete_responses(),
    openapi_extra=deletes("cards"),
)
async def delete_card(*, cardId: str, if_match: IfMatch) -> None:  # noqa: N803
    refuse_direct()


async def plan_delete_card(
    runtime: Runtime, caller: Caller, path: Mapping[str, str], if_match: int | None
) -> DeletePlan:
    return DeletePlan(path["cardId"], version=if_match)


def people_app(data_dir: Path, client: StoreClient, issuer: Issuer) -> FastAPI:
    settings = PeopleSettings(data_dir=data_dir, gateway_keys=PEOPLE_KEY, cursor_key="cursor-key-of-people")
    app = build_service(
        name="people",
        version="1.0.0",
        settings=settings,
        documents=PEOPLE_DOCUMENTS,
        routers=[router],
        client=client,
        deleters={"deleteCard": plan_delete_card},
    )

    async def keys(_: Request) -> JSONResponse:
        return JSONResponse({"keys": [issuer.jwk]})

    app.router.routes.append(Route("/.well-known/jwks.json", keys))
    return app


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
class AuditedPlatform:
    people: Served
    office: Served
    issuer: Issuer
    folder: Path
    apps: list[Gateway] = field(default_factory=list)

    @asynccontextmanager
    async def gateway(self, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        """A gateway of its own, and a client of it, signed in as an admin."""
        given: dict[str, Any] = {
            "services": f"people={self.people.url} office={self.office.url}",
            "gateway_keys": f"people={PEOPLE_KEY} office={OFFICE_KEY}",
            "identity_service": "people",
            "data_dir": self.folder,
            "document_interval_s": 0.2,
            "audit_recheck_s": 0.1,
            "audit_idle_s": 0.5,
            "audit_sweep_interval_s": 0.1,
            "delete_sweep_interval_s": 0.2,
            **settings,
        }
        made = GatewaySettings(**given)
        app = create_app(made)
        self.apps.append(app)
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(serving(app, limited_protocol(made.header_bytes_max)))
            yield await stack.enter_async_context(self.client(port, ADMIN, "admin"))

    def client(self, port: int, user_id: str = ALICE, *roles: str) -> httpx.AsyncClient:
        token = self.issuer.token(user_id, roles or ("user",))
        headers = {"authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30)


@asynccontextmanager
async def audited_platform(folder: Path) -> AsyncIterator[AuditedPlatform]:
    issuer, client = Issuer(), mock_client()
    people, office = Served(people_app(folder, client, issuer)), Served(office_app(folder, client))
    async with AsyncExitStack() as stack:
        for one in (people, office):
            await stack.enter_async_context(one.app.router.lifespan_context(one.app))
            await one.up()
            stack.push_async_callback(one.down)
        await office.app.state.runtime.references.create(room())
        yield AuditedPlatform(people, office, issuer, folder)


def stored(**values: Any) -> dict[str, Any]:
    """A row as its service would write it."""
    return {"version": 1, "createdAt": NOW, "updatedAt": NOW, **values}
