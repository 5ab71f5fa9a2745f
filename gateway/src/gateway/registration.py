"""Tells each owner which relationships refer to its entities, before it is asked about the first reference of one."""

import asyncio
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import structlog

from gateway.catalogue import Catalogue
from gateway.internal import REGISTER, InternalCalls, json_object
from gateway.upstream_errors import BadAnswerError, NotSentError, UpstreamError

TIMEOUT_S: Final = 5.0
RETRY_S: Final = 1.0
TRIES_MAX: Final = 3
_log = structlog.get_logger("gateway.registration")


class Registration:
    """Remembers which owners were told. An owner may refuse a relationship; it then says so when it is asked. `refused`
    has its reason, by relationship and parent.

    `ensure` is cheap once it was; `forget` makes it happen again."""

    def __init__(self, calls: Mapping[str, InternalCalls], catalogue: Callable[[], Catalogue]) -> None:
        self._calls = calls
        self._catalogue = catalogue
        self.refused: dict[tuple[str, str], str] = {}
        self._registered: set[str] = set()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._forgotten_at: dict[str, float] = {}

    async def ensure(self, owner: str) -> None:
        """Raises UpstreamError if the owner can't be told now."""
        for _ in range(TRIES_MAX):
            if owner in self._registered:
                return
            await asyncio.shield(self._start(owner))
        raise NotSentError("the services' documents change faster than they can be registered")

    async def complete(self, owner: str, parent: str, known: Collection[str]) -> bool:
        """Whether an owner knows of less than what is declared to refer to this entity, as after it was restored from a
        backup; it is told once more then, but for what it refused. Raises UpstreamError."""
        declared = {
            one.name
            for relationships in self._catalogue().registrations(owner).values()
            for one in relationships
            if one.parent == parent and (one.name, parent) not in self.refused
        }
        if declared.issubset(known):
            return False
        self._registered.discard(owner)
        await self.ensure(owner)
        return True

    def forget(self, owner: str, *, since: float = math.inf) -> bool:
        """The owner says that it knows nothing of a relationship, or its document changed. Whether it is worth being
        asked again: not if it was told anew a moment ago, unless that was after `since`, when it was asked."""
        now = asyncio.get_running_loop().time()
        forgotten_at = self._forgotten_at.get(owner, -math.inf)
        if now - forgotten_at < RETRY_S:
            return forgotten_at >= since
        self._forgotten_at[owner] = now
        self._registered.discard(owner)
        return True

    def changed(self) -> None:
        """The catalogue is another one: every owner is told anew, at once where it can be."""
        self._registered.clear()
        for owner in self._catalogue().documents:
            self._start(owner).add_done_callback(_log_failure)

    async def stop(self) -> None:
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _start(self, owner: str) -> asyncio.Task[None]:
        task = self._running.get(owner)
        if task is None:
            task = self._running[owner] = asyncio.create_task(self._register(owner))
            task.add_done_callback(lambda _: self._running.pop(owner, None))
        return task

    async def _register(self, owner: str) -> None:
        """Once more if the catalogue became another one meanwhile."""
        for _ in range(TRIES_MAX):
            catalogue = self._catalogue()
            await self._tell(owner, catalogue)
            if self._catalogue() is catalogue:
                self._registered.add(owner)
                return

    async def _tell(self, owner: str, catalogue: Catalogue) -> None:
        for service, relationships in catalogue.registrations(owner).items():
            told = {"service": service, "relationships": [dict(one.published) for one in relationships]}
            answer = json_object(await self._calls[owner].post(REGISTER, told, timeout_s=TIMEOUT_S))
            refused = _refused(answer)
            for one in relationships:
                place = (one.name, one.parent)
                reason = refused.get(place, refused.get((one.name, "")))
                if reason is None:
                    self.refused.pop(place, None)
                elif self.refused.get(place) != reason:
                    self.refused[place] = reason
                    _log.warning("relationship refused", owner=owner, child=service, relationship=place, reason=reason)


def _refused(answer: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """By relationship and parent; an older owner leaves the parent out."""
    refused = answer.get("refused", [])
    if not isinstance(refused, list) or not all(isinstance(one, dict) for one in refused):
        raise BadAnswerError("the service's answer does not say what it registered")
    return {
        (str(one.get("relationship")), str(one.get("parent", ""))): str(one.get("detail", one.get("code", "")))
        for one in refused
    }


def _log_failure(task: asyncio.Task[None]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if isinstance(error, UpstreamError):
        _log.info("not registered yet", reason=str(error))
    elif error is not None:
        _log.error("registration failed", exc_info=error)
