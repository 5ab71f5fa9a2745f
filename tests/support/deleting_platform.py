"""Two real services behind gateways, on one store whose operations may be held, for tests of deletes: the office, and
people who delete themselves, their cards and badges."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from audited_platform import PEOPLE_DOCUMENTS, PEOPLE_KEY, PeopleSettings, Served, stored
from fastapi import APIRouter, FastAPI
from mock_store import Faults, faulty_client
from office import Desk, attached, desk, room
from office_service import KEY as OFFICE_KEY
from office_service import office_app
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from stub_platform import ALICE, Issuer
from stub_services import serving

from gateway.app import Gateway, create_app
from gateway.server import limited_protocol
from gateway.settings import GatewaySettings
from kit.dependencies import IfMatch
from kit.identity import Caller
from kit.ids import new_id
from kit.problems import Forbidden, NotFound
from kit.references.deletes.deleting import DeletePlan, delete_responses, deletes, refuse_direct
from kit.routing import KitRoute
from kit.runtime import Runtime
from kit.service import build_service
from kit.store import StoreClient

FOLLOWED_S = 10.0
POLL_S = 0.03
router = APIRouter(prefix="/v1", route_class=KitRoute)


@router.delete(
    "/people/{personId}",
    operation_id="deletePerson",
    status_code=204,
    responses=delete_responses(Forbidden),
    openapi_extra=deletes("people"),
)
async def delete_person(*, personId: str, if_match: IfMatch) -> None:  # noqa: N803
    refuse_direct()


@router.delete(
    "/cards/{cardId}",
    operation_id="deleteCard",
    status_code=204,
    responses=delete_responses(),
    openapi_extra=deletes("cards"),
)
async def delete_card(*, cardId: str, if_match: IfMatch) -> None:  # noqa: N803
    refuse_direct()


async def plan_delete_person(
    runtime: Runtime, caller: Caller, path: Mapping[str, str], if_match: int | None
) -> DeletePlan:
    """Nobody deletes somebody who is "kept"."""
    row = await runtime.store.rows("people").find_one({"_id": path["personId"]})
    if row is None or not caller.may_act_for(row["_id"]):
        raise NotFound("There is no such person.")
    if row["status"] == "kept":
        raise Forbidden("This person is kept.")
    return DeletePlan(row["_id"], where={"status": row["status"]}, version=if_match)


async def plan_delete_card(
    runtime: Runtime, caller: Caller, path: Mapping[str, str], if_match: int | None
) -> DeletePlan:
    row = await runtime.store.rows("cards").find_one({"_id": path["cardId"]})
    if row is None or not caller.may_act_for(row["personId"]):
        raise NotFound("There is no such card.")
    return DeletePlan(row["_id"], version=if_match)


def people_app(data_dir: Path, client: StoreClient, issuer: Issuer) -> FastAPI:
    app = build_service(
        name="people",
        version="1.0.0",
        settings=PeopleSettings(data_dir=data_dir, gateway_keys=PEOPLE_KEY, cursor_key="cursor-key-of-people"),
        documents=PEOPLE_DOCUMENTS,
        routers=[router],
        client=client,
        deleters={"deletePerson": plan_delete_person, "deleteCard": plan_delete_card},
    )

    async def keys(_: Request) -> JSONResponse:
        return JSONResponse({"keys": [issuer.jwk]})

    app.router.routes.append(Route("/.well-known/jwks.json", keys))
    return app


@dataclass
class DeletingPlatform:
    people: Served
    office: Served
    issuer: Issuer
    faults: Faults
    folder: Path
    app: Gateway | None = None
    port: int = 0

    @asynccontextmanager
    async def gateway(self, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        """A gateway of its own, and a client of it, signed in as Alice."""
        given: dict[str, Any] = {
            "services": f"people={self.people.url} office={self.office.url}",
            "gateway_keys": f"people={PEOPLE_KEY} office={OFFICE_KEY}",
            "identity_service": "people",
            "data_dir": self.folder,
            "document_interval_s": 0.2,
            "delete_sweep_interval_s": 0.1,
            "delete_idle_s": 0.3,
            "delete_wait_s": 5,
            **settings,
        }
        made = GatewaySettings(**given)
        self.app = create_app(made)
        async with AsyncExitStack() as stack:
            protocol = limited_protocol(made.header_bytes_max)
            self.port = await stack.enter_async_context(serving(self.app, protocol))
            yield await stack.enter_async_context(self.client())

    def client(self, user_id: str = ALICE, *roles: str) -> httpx.AsyncClient:
        token = self.issuer.token(user_id, roles or ("user",))
        headers = {"authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30)

    async def person(self, person_id: str = ALICE, status: str = "active") -> str:
        await self.people.store.rows("people").insert(stored(_id=person_id, status=status))
        return person_id

    async def card(self, person_id: str = ALICE) -> str:
        card_id = new_id()
        row = stored(_id=card_id, personId=person_id, cardColor="red")
        await self.people.store.rows("cards").insert(row)
        return card_id

    async def badge(self, person_id: str = ALICE) -> str:
        badge_id = new_id()
        await self.people.store.rows("badges").insert(stored(_id=badge_id, personId=person_id))
        await self.people.store.rows("badge_uses").insert({"_id": new_id(), "badgeId": badge_id, "door": "12"})
        return badge_id

    async def desk(self, **values: Any) -> Desk:
        one = desk(**{"person_id": ALICE, "name": new_id(), **values})
        await self.office.app.state.runtime.references.create(one, attached(one))
        return one

    async def left(self, service: Served, collection: str) -> list[dict[str, Any]]:
        return await service.store.rows(collection).find({}, limit=1_000)

    async def register(self, relationship: str, parent: str, service: str, rule: str = "CASCADE") -> None:
        """As a gateway does before the first write of it."""
        row = {"relationship": relationship, "parent": parent, "service": service, "onDelete": rule}
        await self.people.store.rows("reference_registry").update_one(
            {"_id": f"{relationship}|{parent}"},
            {"$set": {**row, "state": "registered", "registeredAt": self.now()}},
            upsert=True,
        )

    def now(self) -> Any:
        return self.people.app.state.runtime.clock.now()


@asynccontextmanager
async def deleting_platform(folder: Path) -> AsyncIterator[DeletingPlatform]:
    issuer = Issuer()
    client, faults = faulty_client()
    people, office = Served(people_app(folder, client, issuer)), Served(office_app(folder, client))
    async with AsyncExitStack() as stack:
        for one in (people, office):
            await stack.enter_async_context(one.app.router.lifespan_context(one.app))
            await one.up()
            stack.push_async_callback(one.down)
        await office.app.state.runtime.references.create(room())
        platform = DeletingPlatform(people, office, issuer, faults, folder)
        for relationship, parent, rule in (
            ("desks.personId", "people", "CASCADE"),
            ("desks.cardId", "cards", "RESTRICT"),
        ):
            await platform.register(relationship, parent, "office", rule)
        yield platform


async def followed(
    client: httpx.AsyncClient, answer: httpx.Response, state: str, *, waiting: bool = False
) -> dict[str, Any]:
    """The deletion that a 202 names, once it is in this state, and says whom it waits for."""
    assert answer.status_code == 202, answer.text
    said: dict[str, Any] = {}
    for _ in range(round(FOLLOWED_S / POLL_S)):
        read = await client.get(answer.headers["location"])
        assert read.status_code == 200, read.text
        said = read.json()
        if said["state"] == state and (said["waitingFor"] or not waiting):
            return said
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"it did not become {state}: {said}")
