"""The office as a service over HTTP, for the tests of what the gateway asks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from fastapi import APIRouter, FastAPI
from office import CARD, DOCUMENTS, Desk, DeskCardRef, DeskPersonRef, DeskRoomRef, desk

from kit.clock import Clock
from kit.dependencies import AttachedDep, CallerDep, ContextDep, ResourceId, RuntimeDep
from kit.identity import Caller
from kit.problems import NotFound
from kit.references.planning import ParentsPlan, PlannedParent, check_planned_version
from kit.routing import KitRoute
from kit.runtime import Runtime
from kit.schemas import WriteModel
from kit.service import build_service
from kit.settings import ServiceSettings
from kit.store import StoreClient

KEY = "test-gateway-key-of-the-office-service"
CONSENT = "desks=shop rooms=shop"

router = APIRouter(prefix="/v1/desks", route_class=KitRoute)


class OfficeSettings(ServiceSettings):
    service: ClassVar[str] = "office"


class DeskIn(WriteModel):
    person_id: DeskPersonRef | None = None
    card_id: DeskCardRef
    door: DeskRoomRef
    name: str


@router.post("", operation_id="createDesk", status_code=201)
async def create_desk(
    runtime: RuntimeDep, caller: CallerDep, attached: AttachedDep, body: DeskIn, desk_id: ResourceId
) -> dict[str, Any]:
    person = body.person_id or caller.require_signed_in()
    color = attached.copied(CARD, body.card_id)["cardColor"]
    made = desk(id=desk_id, person_id=person, card_id=body.card_id, color=color, door=body.door, name=body.name)
    await runtime.references.create(made, attached)
    return {"deskId": made.id, "color": made.color}


@router.post("/{deskId}/occupy", operation_id="occupyDesk", openapi_extra={"x-reference-require": ["desks.personId"]})
async def occupy_desk(runtime: RuntimeDep, context: ContextDep, attached: AttachedDep, deskId: str) -> dict[str, Any]:  # noqa: N803
    found = await runtime.store.collection(Desk).get(deskId)
    if found is None:
        raise NotFound
    check_planned_version(context, found.version)
    changed = await runtime.references.change(found, {"state": "busy"}, attached=attached)
    return {"state": changed.state if changed else None}


async def parents_of_occupy(runtime: Runtime, caller: Caller, path: Mapping[str, str], body: Any) -> ParentsPlan:
    found = await runtime.store.collection(Desk).get(path["deskId"])
    if found is None:
        raise NotFound("There is no such desk.")
    person = PlannedParent("desks.personId", "people", found.person_id, require={"status": "active"})
    return ParentsPlan((person,), found.version)


def office_app(data_dir: Path, client: StoreClient, *, clock: Clock | None = None) -> FastAPI:
    settings = OfficeSettings(
        data_dir=data_dir, gateway_keys=KEY, cursor_key="cursor-key-of-office", reference_consent=CONSENT
    )
    return build_service(
        name="office",
        version="1.0.0",
        settings=settings,
        documents=DOCUMENTS,
        routers=[router],
        client=client,
        clock=clock,
        planners={"occupyDesk": parents_of_occupy},
    )
