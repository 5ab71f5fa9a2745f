"""A service of another team with the kinds of reference that the platform's own services don't have: labels come off
what they are on (SET NULL), holds keep it (RESTRICT), and both labels and folders refer to their own kind."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, FastAPI, Path

from kit.clock import Clock
from kit.dependencies import AttachedDep, CallerDep, IfMatch, ResourceId, RuntimeDep
from kit.documents import Entity, Stored
from kit.identity import Caller
from kit.ids import Id
from kit.problems import NotFound, VersionMismatch
from kit.references.attached import Attached
from kit.references.declaration import CASCADE, RESTRICT, SET_NULL, Reference
from kit.references.deletes.deleting import DeletePlan, Deleter, delete_responses, deletes, refuse_direct
from kit.references.rules import EntityRules
from kit.routing import KitRoute
from kit.runtime import Runtime
from kit.schemas import WriteModel, text
from kit.service import build_service
from kit.settings import ServiceSettings
from kit.store import DuplicateKey, StoreClient, index

CABINET = "cabinet"

LabelBotRef = Annotated[Id, Reference("trading_bots", on_delete=SET_NULL)]
LabelNextRef = Annotated[Id, Reference("labels", on_delete=SET_NULL)]
HoldUserRef = Annotated[Id, Reference("users", on_delete=CASCADE, default="caller")]
HoldBotRef = Annotated[Id, Reference("trading_bots", on_delete=RESTRICT, match={"userId": "userId"})]
FolderParentRef = Annotated[Id, Reference("folders", on_delete=RESTRICT)]
LabelId = Annotated[Id, Path(alias="labelId")]
FolderId = Annotated[Id, Path(alias="folderId")]
Words = Annotated[str, text(80)]


class CabinetSettings(ServiceSettings):
    service: ClassVar[str] = CABINET


class Label(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="labelId")

    bot_id: LabelBotRef | None = None
    next_id: LabelNextRef | None = None
    words: str

    class Settings:
        name = "labels"
        indexes: ClassVar = [index("botId"), index("nextId")]


class Hold(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="holdId", referable_by=())

    user_id: HoldUserRef
    bot_id: HoldBotRef
    words: str

    class Settings:
        name = "holds"
        indexes: ClassVar = [index("userId"), index("botId")]


class Folder(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="folderId")

    parent_id: FolderParentRef | None = None
    words: str

    class Settings:
        name = "folders"
        indexes: ClassVar = [index("parentId")]


DOCUMENTS: tuple[type[Stored], ...] = (Label, Hold, Folder)


class LabelIn(WriteModel):
    bot_id: LabelBotRef | None = None
    next_id: LabelNextRef | None = None
    words: Words


class LabelPatch(WriteModel):
    next_id: LabelNextRef


class HoldIn(WriteModel):
    user_id: HoldUserRef | None = None
    bot_id: HoldBotRef
    words: Words


class FolderIn(WriteModel):
    parent_id: FolderParentRef | None = None
    words: Words


class FolderPatch(WriteModel):
    parent_id: FolderParentRef


router = APIRouter(prefix="/v1", route_class=KitRoute)


@router.post("/labels", operation_id="createLabel", status_code=201)
async def create_label(
    runtime: RuntimeDep, attached: AttachedDep, body: LabelIn, label_id: ResourceId
) -> dict[str, Any]:
    return await _create(runtime, Label(id=label_id, **_stamped(runtime, body)), attached)


@router.patch("/labels/{labelId}", operation_id="changeLabel")
async def change_label(
    runtime: RuntimeDep, attached: AttachedDep, label_id: LabelId, body: LabelPatch
) -> dict[str, Any]:
    return await _change(runtime, Label, label_id, {"nextId": body.next_id}, attached)


@router.post("/holds", operation_id="createHold", status_code=201)
async def create_hold(
    runtime: RuntimeDep, caller: CallerDep, attached: AttachedDep, body: HoldIn, hold_id: ResourceId
) -> dict[str, Any]:
    given = {**_stamped(runtime, body), "user_id": body.user_id or caller.require_signed_in()}
    return await _create(runtime, Hold(id=hold_id, **given), attached)


@router.post("/folders", operation_id="createFolder", status_code=201)
async def create_folder(
    runtime: RuntimeDep, attached: AttachedDep, body: FolderIn, folder_id: ResourceId
) -> dict[str, Any]:
    return await _create(runtime, Folder(id=folder_id, **_stamped(runtime, body)), attached)


@router.patch("/folders/{folderId}", operation_id="changeFolder")
async def change_folder(
    runtime: RuntimeDep, attached: AttachedDep, folder_id: FolderId, body: FolderPatch
) -> dict[str, Any]:
    return await _change(runtime, Folder, folder_id, {"parentId": body.parent_id}, attached)


def _stamped(runtime: Runtime, body: WriteModel) -> dict[str, Any]:
    now = runtime.clock.now()
    return {**body.model_dump(), "created_at": now, "updated_at": now}


async def _create(runtime: Runtime, document: Entity, attached: Attached) -> dict[str, Any]:
    try:
        await runtime.references.create(document, attached)
    except DuplicateKey:  # a run before this one, with the same Idempotency-Key, wrote it
        if await runtime.store.collection(type(document)).get(document.id) is None:
            raise NotFound("It is gone again.") from None
    return _shown(document)


async def _change(
    runtime: Runtime, kind: type[Entity], document_id: str, patch: Mapping[str, Any], attached: Attached
) -> dict[str, Any]:
    found = await runtime.store.collection(kind).get(document_id)
    if found is None:
        raise NotFound
    changed = await runtime.references.change(found, patch, attached=attached)
    if changed is None:
        raise VersionMismatch("It was changed meanwhile; send the request again.")
    return _shown(changed)


def _shown(document: Entity) -> dict[str, Any]:
    key = type(document).rules.key
    return {
        key: document.id,
        **document.model_dump(mode="json", by_alias=True, exclude={"id", "created_at", "updated_at"}),
    }


def _delete_of(kind: type[Entity]) -> Deleter:
    """A route for it, and who plans it: anybody may."""
    entity, key = kind.collection_name(), kind.rules.key
    operation_id = f"delete{kind.__name__}"

    @router.delete(
        f"/{entity}/{{{key}}}",
        operation_id=operation_id,
        status_code=204,
        responses=delete_responses(),
        openapi_extra=deletes(entity),
    )
    async def delete(*, if_match: IfMatch) -> None:
        refuse_direct()

    async def plan(runtime: Runtime, caller: Caller, path: Mapping[str, str], if_match: int | None) -> DeletePlan:
        del caller
        if await runtime.store.collection(kind).get(path[key]) is None:
            raise NotFound
        return DeletePlan(path[key], version=if_match)

    return plan


DELETERS = {f"delete{kind.__name__}": _delete_of(kind) for kind in (Label, Hold, Folder)}


def create_app(settings: CabinetSettings, *, client: StoreClient | None = None, clock: Clock | None = None) -> FastAPI:
    return build_service(
        name=CABINET,
        version="1.0.0",
        settings=settings,
        documents=DOCUMENTS,
        routers=[router],
        client=client,
        clock=clock,
        deleters=DELETERS,
    )
