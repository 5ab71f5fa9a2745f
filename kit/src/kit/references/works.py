"""One guarded write on its way through the steps, and what its closures mean for it."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

from kit.problems import ReferenceClosed, ResourceDeleted, Unavailable
from kit.references.closures import Closed, Closures
from kit.references.declaration import is_own_key
from kit.references.owner import LocalOwner, Question
from kit.references.plans import look_keys, named_by
from kit.references.tasks import Tasks
from kit.store.sessions import Moment

LOOKS_MAX = 4
READS_MAX = 4
SENDINGS_MAX = 3
HELP_S = 1.0
HELP_PAUSE_S = 0.02


class Steps(Protocol):
    """Where a write goes from its look-up."""

    tasks: Tasks

    def commit(self, work: Any) -> None: ...

    def barred(self, work: Any, closures: list[Closed]) -> Awaitable[None]: ...

    def abandon(self, work: Any, error: Exception) -> Awaitable[None]: ...


class Work:
    """`keys` are its references as an intent names them, `epochs` the owners' by key as far as known, `local` is what
    this service's own owner was asked. `lost` are the tokens of sendings that may still arrive."""

    def __init__(
        self,
        steps: Steps,
        document_id: str,
        keys: Sequence[str],
        *,
        epochs: dict[str, int],
        local: Mapping[str, Question],
    ) -> None:
        self._steps = steps
        self.id = document_id
        self.keys = keys
        self.look_keys: Sequence[str] = look_keys(keys)
        self.epochs = epochs
        self.local = local
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.token = ""
        self.sendings = 0
        self.lost: set[str] = set()
        self.moment: Moment | None = None

    def sent_as(self, token: str) -> None:
        """Every sending of a document has a token that no other has, and is executed at most once."""
        self.token = token
        self.sendings += 1

    def opened(self) -> None:
        self._steps.commit(self)

    def barred(self, closures: list[Closed]) -> None:
        self.off_lanes(self._steps.barred(self, closures))

    def failed(self, error: Exception) -> None:
        self.off_lanes(self._steps.abandon(self, error))

    def off_lanes(self, recovery: Awaitable[None]) -> None:
        """Something unusual: from here the write has a task of its own, which ends it."""
        self._steps.tasks.start(self._to_its_end(recovery))

    async def _to_its_end(self, recovery: Awaitable[None]) -> None:
        try:
            await recovery
        except Exception as error:  # noqa: BLE001 (it is the answer to the request)
            self.refuse(error)

    def left(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.done.done()

    def succeed(self, result: Any = None) -> None:
        if not self.done.done():
            self.done.set_result(result)

    def refuse(self, error: BaseException) -> None:
        """With a lost sending that may still arrive, no refusal is certain: then the answer is 503."""
        if self.done.done():
            return
        self.done.set_exception(uncertain() if self.lost and not isinstance(error, Unavailable) else error)


class Judge:
    """Tells closures that bind from those that an owner's newer epoch outdates, and reopens these."""

    def __init__(self, closures: Closures, owner: LocalOwner) -> None:
        self._closures = closures
        self._owner = owner

    async def now(self, work: Work) -> list[Closed]:
        """What binds the write at this moment."""
        closures = await self._closures.closed(work.keys, after=work.moment)
        return await self._binding(work, closures)

    async def settled(self, work: Work, closures: list[Closed]) -> list[Closed]:
        """Reopens what is outdated until nothing is closed; the closures that bind, if there are any. Raises
        Unavailable if they are closed again and again."""
        for _ in range(LOOKS_MAX):
            binding = await self._binding(work, closures)
            if binding:
                return binding
            for closed in closures:
                await self._closures.reopen(closed.key, work.epochs[closed.key])
            closures = await self._closures.closed(work.keys, after=work.moment)
            if not closures:
                return []
        raise Unavailable("The references are opened and closed too often; try again.")

    async def _binding(self, work: Work, closures: Sequence[Closed]) -> list[Closed]:
        """What this service owns itself is asked for its epoch once more, live."""
        binding = [closed for closed in closures if not _is_outdated(closed, work.epochs)]
        own = [closed for closed in binding if closed.key in work.local]
        if own:
            answers = await self._owner.confirm([work.local[closed.key] for closed in own], live=True)
            for closed, answer in zip(own, answers, strict=True):
                if answer.ok:
                    work.epochs[closed.key] = answer.epoch
        return [closed for closed in binding if not _is_outdated(closed, work.epochs)]


def _is_outdated(closed: Closed, epochs: Mapping[str, int]) -> bool:
    return not closed.is_whole and epochs.get(closed.key, -1) > closed.epoch


def closed_problem(closures: Sequence[Closed]) -> ReferenceClosed | ResourceDeleted:
    """Closed references come first: they may be open again when they are asked about, the document's own id never."""
    references = [closed for closed in closures if not is_own_key(closed.key)]
    if not references:
        return ResourceDeleted("Send a new request, with a new Idempotency-Key if it has one, to make another.")
    named = [named_by(closed.key) for closed in references]
    removed = sorted({one["relationship"] for one, closed in zip(named, references, strict=True) if closed.is_whole})
    detail = (
        f"An operator has removed {', '.join(removed)}: nothing may refer by it."
        if removed
        else "A document that this one refers to is being deleted."
    )
    return ReferenceClosed(detail, closed=named)


def uncertain() -> Unavailable:
    return Unavailable("The outcome of the write is not known; try again.")
