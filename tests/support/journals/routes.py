"""Journals over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from journals import operations
from journals.documents import Journal
from journals.schemas import JournalCreate, JournalOut, JournalPatch
from kit.dependencies import AttachedDep, CallerDep, ContextDep, IfMatch, Paging, ResourceId, RuntimeDep
from kit.ids import Id
from kit.preconditions import etag
from kit.problems import NotFound, ReferenceClosed, ReferenceNotFound, VersionMismatch
from kit.responses import documented
from kit.routing import KitRoute
from kit.schemas import PageOut

router = APIRouter(prefix="/v1/journals", route_class=KitRoute, tags=["journals"])

JournalId = Annotated[Id, Path(alias="journalId")]
REFUSALS = (ReferenceNotFound, ReferenceClosed)
ON_CHANGE = {"x-reference-require": [operations.BOT.relationship]}


@router.post("", operation_id="createJournal", status_code=201, responses=documented(*REFUSALS))
async def create_journal(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    attached: AttachedDep,
    journal_id: ResourceId,
    body: JournalCreate,
    response: Response,
) -> JournalOut:
    """Write a journal."""
    return render(await operations.create_journal(runtime, caller, attached, journal_id, body), response)


@router.get("", operation_id="listJournals")
async def list_journals(*, runtime: RuntimeDep, caller: CallerDep, page: Paging) -> PageOut[JournalOut]:
    """The caller's journals."""
    found, cursor = await operations.list_journals(runtime, caller, page)
    return PageOut(items=[present(journal) for journal in found], next_cursor=cursor)


@router.get("/{journalId}", operation_id="getJournal", responses=documented(NotFound))
async def get_journal(
    *, runtime: RuntimeDep, caller: CallerDep, journal_id: JournalId, response: Response
) -> JournalOut:
    """One journal."""
    return render(await operations.get_journal(runtime, caller, journal_id), response)


@router.patch(
    "/{journalId}",
    operation_id="changeJournal",
    responses=documented(NotFound, VersionMismatch, *REFUSALS),
    openapi_extra=dict(ON_CHANGE),
)
async def change_journal(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    context: ContextDep,
    attached: AttachedDep,
    journal_id: JournalId,
    body: JournalPatch,
    if_match: IfMatch,
    response: Response,
) -> JournalOut:
    """Say which bot it is about."""
    journal = await operations.change_journal(
        runtime, caller, journal_id, body, if_match=if_match, context=context, attached=attached
    )
    return render(journal, response)


def render(journal: Journal, response: Response) -> JournalOut:
    response.headers["ETag"] = etag(journal.version)
    return present(journal)


def present(journal: Journal) -> JournalOut:
    return JournalOut(
        journal_id=journal.id,
        user_id=journal.user_id,
        bot_id=journal.bot_id,
        text=journal.text,
        created_at=journal.created_at,
        updated_at=journal.updated_at,
        version=journal.version,
    )
