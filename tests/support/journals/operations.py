"""Load, decide, save."""

from collections.abc import Mapping
from typing import Any

from journals.documents import Journal
from journals.schemas import JournalCreate, JournalPatch
from kit.context import RequestContext
from kit.identity import Caller
from kit.paging import PageRequest, SortFields, fetch_page
from kit.preconditions import check_if_match
from kit.problems import NotFound, VersionMismatch
from kit.references.attached import Attached
from kit.references.planning import ParentsPlan, PlannedParent, check_planned_version
from kit.runtime import Runtime
from kit.store import DuplicateKey

BOT = Journal.references["botId"]
SORT = SortFields()


async def create_journal(
    runtime: Runtime, caller: Caller, attached: Attached, journal_id: str, body: JournalCreate
) -> Journal:
    now = runtime.clock.now()
    user_id = body.user_id or caller.require_signed_in()
    journal = Journal(
        id=journal_id, user_id=user_id, bot_id=body.bot_id, text=body.text, created_at=now, updated_at=now
    )
    try:
        return await runtime.references.create(journal, attached)
    except DuplicateKey:  # a run before this one, with the same Idempotency-Key, wrote it
        return await get_journal(runtime, caller, journal_id)


async def get_journal(runtime: Runtime, caller: Caller, journal_id: str) -> Journal:
    journal = await runtime.store.collection(Journal).get(journal_id)
    if journal is None or not caller.may_act_for(journal.user_id):
        raise NotFound("There is no such journal.")
    return journal


async def list_journals(runtime: Runtime, caller: Caller, page: PageRequest) -> tuple[list[Journal], str | None]:
    journals = runtime.store.collection(Journal)
    return await fetch_page(journals, {"userId": caller.require_signed_in()}, page, SORT, runtime.cursor_key)


async def plan_change(runtime: Runtime, caller: Caller, path: Mapping[str, str], body: Any) -> ParentsPlan:
    """The new bot must be the journal's user's, who is not in the request."""
    journal = await get_journal(runtime, caller, path["journalId"])
    bot_id = body.get("botId") if isinstance(body, dict) else None
    if not isinstance(bot_id, str):
        return ParentsPlan((), journal.version)
    match = {"userId": journal.user_id}
    bot = PlannedParent(BOT.relationship, "trading_bots", bot_id, match=match, pointer="/botId")
    return ParentsPlan((bot,), journal.version)


async def change_journal(
    runtime: Runtime,
    caller: Caller,
    journal_id: str,
    body: JournalPatch,
    *,
    if_match: int | None,
    context: RequestContext,
    attached: Attached,
) -> Journal:
    journal = await get_journal(runtime, caller, journal_id)
    check_planned_version(context, journal.version)
    check_if_match(if_match, journal.version)
    if "bot_id" not in body.model_fields_set:
        return journal
    patch = {} if body.bot_id is None else {"botId": body.bot_id}
    unset = ["botId"] if body.bot_id is None else []
    changed = await runtime.references.change(journal, patch, unset=unset, attached=attached)
    if changed is None:
        raise VersionMismatch("The journal was changed meanwhile; send the request again.")
    return changed
