"""Conditional writes: what was decided on one version is saved on that version, or decided again."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from kit.documents import Entity
from kit.problems import Unavailable, VersionMismatch
from kit.runtime import Runtime
from kit.store.codec import to_stored_value

ATTEMPTS_MAX = 8

E = TypeVar("E", bound=Entity)


async def save(runtime: Runtime, document: E, changes: Mapping[str, Any], *, unset: Sequence[str] = ()) -> E | None:
    """Set stored fields on the version that was read; None if the document has moved on. Raises DuplicateKey."""
    values = {name: to_stored_value(value) for name, value in changes.items()}
    update: dict[str, Any] = {"$set": {**values, "updatedAt": runtime.clock.now()}, "$inc": {"version": 1}}
    if unset:
        update["$unset"] = dict.fromkeys(unset, "")
    condition = {"_id": document.id, "version": document.version}
    return await runtime.store.collection(type(document)).update_and_get(condition, update)


async def decide_and_save(attempt: Callable[[], Awaitable[E | None]], *, if_match: int | None) -> E:
    """Repeat a decision until its write finds the version it was made on.

    With If-Match the first miss is final. Raises VersionMismatch, or Unavailable after `ATTEMPTS_MAX` attempts.
    """
    for _ in range(ATTEMPTS_MAX):
        saved = await attempt()
        if saved is not None:
            return saved
        if if_match is not None:
            raise VersionMismatch("Read the document again and repeat the change on its current version.")
    raise Unavailable("The document is being changed by many at once; try again.")
