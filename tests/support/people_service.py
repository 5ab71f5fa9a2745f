"""A real service for tests of deletes and audits: people, who delete themselves and their cards, with lamps and badges.
It tells the keys of tokens, too."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, FastAPI
from office import NOW
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from stub_platform import Issuer

from kit.dependencies import IfMatch
from kit.documents import Entity, Part, Stored
from kit.identity import Caller
from kit.ids import Id
from kit.problems import Forbidden, NotFound
from kit.references.declaration import CASCADE, Reference
from kit.references.deletes.deleting import DeletePlan, delete_responses, deletes, refuse_direct
from kit.references.rules import Anyone, EntityRules, PartOf
from kit.routing import KitRoute
from kit.runtime import Runtime
from kit.service import build_service
from kit.settings import ServiceSettings
from kit.store import StoreClient

PEOPLE_KEY = "test-gateway-key-of-the-people-service"
BadgePersonRef = Annotated[Id, Reference("people", on_delete=CASCADE)]
router = APIRouter(prefix="/v1", route_class=KitRoute)


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


def stored(**values: Any) -> dict[str, Any]:
    """A row as its service would write it."""
    return {"version": 1, "createdAt": NOW, "updatedAt": NOW, **values}
