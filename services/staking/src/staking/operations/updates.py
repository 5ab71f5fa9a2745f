"""Conditional writes: what was decided on one version is saved on that version, or decided again."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from kit.documents import Entity
from kit.problems import NotFound, Unavailable
from kit.references.slots import IN_DELETION, NOT_IN_DELETION
from kit.runtime import Runtime
from kit.store.hidden import PARENT_STATE
from staking.domain.editions import EDITION

ATTEMPTS_MAX = 30

E = TypeVar("E", bound=Entity)


def stored_fields(document: Entity) -> dict[str, Any]:
    """A document's fields by their stored names, without what is absent."""
    fields: dict[str, Any] = document.model_dump(by_alias=True, exclude_none=True)
    return fields


async def save(runtime: Runtime, document: E, changes: Mapping[str, Any], *, unset: Sequence[str] = ()) -> E | None:
    """Set stored fields on the version that was read; None if the document has moved on.

    A document that is being deleted stays as its delete was decided on: raises what `check_not_going` does.
    """
    update: dict[str, Any] = {
        "$set": {**changes, "updatedAt": runtime.clock.now()},
        "$inc": {"version": 1, EDITION: 1},
    }
    if unset:
        update["$unset"] = dict.fromkeys(unset, "")
    where = {"_id": document.id, "version": document.version, **NOT_IN_DELETION}
    saved = await runtime.store.collection(type(document)).update_and_get(where, update)
    if saved is None:
        await check_not_going(runtime, type(document), document.id)
    return saved


async def check_not_going(runtime: Runtime, kind: type[Entity], document_id: str) -> None:
    """Raises Unavailable while it is not decided whether the document is deleted, NotFound once it is."""
    going = {"_id": document_id, f"{PARENT_STATE}.state": {"$in": list(IN_DELETION)}}
    for row in await runtime.store.collection(kind).rows(going, fields=[PARENT_STATE], limit=1):
        if row[PARENT_STATE]["state"] == "purging":
            raise NotFound("It is being deleted.")
        raise Unavailable("A deletion of it is under way; try again.")


async def decide_and_save(attempt: Callable[[], Awaitable[E | None]]) -> E:
    """Repeat a decision until its write finds the version it was made on. Raises Unavailable after ATTEMPTS_MAX
    attempts."""
    for _ in range(ATTEMPTS_MAX):
        saved = await attempt()
        if saved is not None:
            return saved
    raise Unavailable("The document is being changed by many at once; try again.")
