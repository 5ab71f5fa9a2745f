"""A small service for tests of kit: notes, which their owners write, list and change."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi import Path as PathParameter

from kit.clock import Clock
from kit.dependencies import CallerDep, IfMatch, Paging, ResourceId, RuntimeDep
from kit.documents import Entity
from kit.ids import Id
from kit.paging import SortFields, fetch_page
from kit.preconditions import check_if_match, etag
from kit.problems import AlreadyExists, NotFound, RateLimited, ReferenceClosed, VersionMismatch
from kit.references.rules import EntityRules
from kit.responses import documented
from kit.routing import PUBLIC, TAKES_FORM, WITHOUT_IDEMPOTENCY, KitRoute
from kit.runtime import Runtime
from kit.schemas import PageOut, ReadModel, Timestamp, WriteModel, text
from kit.service import Workers, build_service
from kit.settings import ServiceSettings
from kit.store import DuplicateKey, StoreClient, index

GATEWAY_KEY = "test-gateway-key-of-the-notes-service"
USER = "0190b6a0-0000-7000-8000-000000000001"
SORT = SortFields({"createdAt": "createdAt", "title": "title", "noteId": "_id"})


class NotesSettings(ServiceSettings):
    service: ClassVar[str] = "notes"


class Note(Entity):
    class Settings:
        name = "notes"
        indexes: ClassVar = [index("title", unique=True)]

    rules: ClassVar[EntityRules] = EntityRules(key="noteId")

    title: str
    owner: str


class NoteIn(WriteModel):
    title: Annotated[str, text(40)]
    body: Annotated[str, text(4000, 0, multiline=True)] = ""
    weight: int = 0


class NotePatch(WriteModel):
    title: Annotated[str, text(40)]


class NoteOut(ReadModel):
    note_id: str
    title: str
    created_at: Timestamp
    version: int


class SharedOut(ReadModel):
    note_id: str
    key: str
    parts: list[dict[str, str]]


class SignIn(WriteModel):
    email: str
    password: str


class Hooks:
    """What a test lets happen inside `POST /v1/notes`, after the note was written."""

    def __init__(self) -> None:
        self.after_write: Callable[[], Awaitable[None]] | None = None
        self.runs = 0


router = APIRouter(prefix="/v1/notes", route_class=KitRoute, tags=["notes"])
NoteId = Annotated[Id, PathParameter(alias="noteId")]


def render(note: Note, response: Response) -> NoteOut:
    response.headers["ETag"] = etag(note.version)
    return NoteOut(note_id=note.id, title=note.title, created_at=note.created_at, version=note.version)


async def write_note(runtime: Runtime, note_id: str, title: str, owner: str, hooks: Hooks) -> Note:
    """Run again with the same id, it finds what the first run wrote."""
    notes = runtime.store.collection(Note)
    now = runtime.clock.now()
    note = Note(id=note_id, title=title, owner=owner, created_at=now, updated_at=now)
    hooks.runs += 1
    try:
        await runtime.references.create(note)
    except DuplicateKey:
        found = await notes.get(note_id)
        if found is None:
            raise AlreadyExists from None
        note = found
    if hooks.after_write is not None:
        await hooks.after_write()
    return note


@router.post("", operation_id="createNote", status_code=201, responses=documented(AlreadyExists))
async def create_note(
    *, request: Request, runtime: RuntimeDep, caller: CallerDep, body: NoteIn, note_id: ResourceId, response: Response
) -> NoteOut:
    owner = caller.require_signed_in()
    return render(await write_note(runtime, note_id, body.title, owner, request.app.state.hooks), response)


@router.get("", operation_id="listNotes")
async def list_notes(
    *, runtime: RuntimeDep, page: Paging, title: Annotated[str | None, Query(max_length=40)] = None
) -> PageOut[NoteOut]:
    where = {} if title is None else {"title": title}
    found, cursor = await fetch_page(runtime.store.collection(Note), where, page, SORT, runtime.cursor_key)
    return PageOut(items=[render(note, Response()) for note in found], next_cursor=cursor)


@router.get("/{noteId}", operation_id="getNote")
async def get_note(*, runtime: RuntimeDep, note_id: NoteId, response: Response) -> NoteOut:
    note = await runtime.store.collection(Note).get(note_id)
    if note is None:
        raise NotFound("There is no such note.")
    return render(note, response)


@router.patch("/{noteId}", operation_id="changeNote")
async def change_note(
    *, runtime: RuntimeDep, note_id: NoteId, body: NotePatch, if_match: IfMatch, response: Response
) -> NoteOut:
    notes = runtime.store.collection(Note)
    note = await notes.get(note_id)
    if note is None:
        raise NotFound("There is no such note.")
    check_if_match(if_match, note.version)
    change = {"$set": {"title": body.title}, "$inc": {"version": 1}}
    changed = await notes.update_and_get({"_id": note_id, "version": note.version}, change)
    if changed is None:
        raise VersionMismatch
    return render(changed, response)


@router.post("/share", operation_id="shareNote", openapi_extra={"x-secret-fields": ["key"]})
async def share_note(*, note_id: ResourceId) -> SharedOut:
    return SharedOut(note_id=note_id, key="omk_hunter2", parts=[{"name": "a", "key": "hunter2"}])


@router.post("/ping", operation_id="pingNotes")
async def ping_notes(*, note_id: ResourceId) -> dict[str, str]:
    return {"actionId": note_id}


@router.post("/slow", operation_id="slowNote")
async def slow_note(*, seconds: Annotated[float, Query(ge=0, le=60)] = 60.0) -> dict[str, float]:
    await asyncio.sleep(seconds)
    return {"seconds": seconds}


@router.post("/broken", operation_id="breakNote")
async def break_note(*, note_id: ResourceId, title: str = "") -> None:
    raise ValueError(f"hunter2 {note_id} {title}")


@router.post("/refuse/{what}", operation_id="refuseNote")
async def refuse_note(*, what: str, request: Request) -> None:
    request.app.state.hooks.runs += 1
    refusals: dict[str, Exception] = {
        "limited": RateLimited(),
        "closed": ReferenceClosed(closed=[]),
        "taken": AlreadyExists(),
        "waiting": AlreadyExists(headers={"Retry-After": "1"}),
        "stale": VersionMismatch(),
    }
    raise refusals[what]


@router.post("/import", operation_id="importNotes", openapi_extra={"x-body-bytes-max": 4 * 1024 * 1024})
async def import_notes(*, body: dict[str, Any]) -> dict[str, int]:
    return {"received": len(body)}


@router.post("/sign-in", operation_id="signInToNotes", openapi_extra={**PUBLIC, **WITHOUT_IDEMPOTENCY, **TAKES_FORM})
async def sign_in(*, body: SignIn, caller: CallerDep) -> dict[str, str | None]:
    return {"email": body.email, "caller": caller.id}


def notes_app(
    folder: Path,
    client: StoreClient | None,
    *,
    clock: Clock | None = None,
    workers: Workers | None = None,
    digests: dict[str, str] | None = None,
    **settings: Any,
) -> FastAPI:
    """`digests` makes operations declare references, by operation id."""
    given = {"gateway_keys": GATEWAY_KEY, "data_dir": folder, **settings}
    app = build_service(
        name="notes",
        version="1.0.0",
        settings=NotesSettings(**given),
        documents=(Note,),
        routers=(router,),
        client=client,
        clock=clock,
        workers=workers,
    )
    app.state.hooks = Hooks()
    app.state.rules.reference_digests = {**app.state.rules.reference_digests, **(digests or {})}
    return app
