"""Conditional writes: what was decided on one version is saved on that version, or decided again."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from kit.documents import Entity
from kit.problems import Unavailable
from kit.runtime import Runtime
from staking.domain.editions import EDITION

ATTEMPTS_MAX = 30

E = TypeVar("E", bound=Entity)


def stored_fields(document: Entity) -> dict[str, Any]:
    """A document's fields by their stored names, without what is absent."""
    fields: dict[str, Any] = document.model_dump(by_alias=True, exclude_none=True)
    return fields


async def save(runtime: Runtime, document: E, changes: Mapping[str, Any], *, unset: Sequence[str] = ()) -> E | None:
    """Set stored fields on the version that was read; None if the document has moved on."""
    update: dict[str, Any] = {
        "$set": {**changes, "updatedAt": runtime.clock.now()},
        "$inc": {"version": 1, EDITION: 1},
    }
    if unset:
        update["$unset"] = dict.fromkeys(unset, "")
    where = {"_id": document.id, "version": document.version}
    return await runtime.store.collection(type(document)).update_and_get(where, update)


async def decide_and_save(attempt: Callable[[], Awaitable[E | None]]) -> E:
    """Repeat a decision until its write finds the version it was made on. Raises Unavailable after ATTEMPTS_MAX
    attempts."""
    for _ in range(ATTEMPTS_MAX):
        saved = await attempt()
        if saved is not None:
            return saved
    raise Unavailable("The document is being changed by many at once; try again.")
