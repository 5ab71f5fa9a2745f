"""What creates and changes do alike when a step did not go as usual."""

from abc import ABC, abstractmethod
from typing import Any, Generic, Protocol, TypeVar

from kit.problems import Unavailable
from kit.references.closures import Closed
from kit.references.works import Judge, Work, closed_problem

W = TypeVar("W", bound=Work)


class Commits(Protocol):
    """Where a write goes on whose closures were outdated."""

    def commit(self, work: Any) -> None: ...


class Recovery(ABC, Generic[W]):
    """`_is_done` says whether the write was committed after all, and removes what is still pending if not;
    `_send_again` begins anew with a fresh token."""

    def __init__(self, steps: Commits, judge: Judge) -> None:
        self._steps = steps
        self._judge = judge

    async def read_again(self, work: W) -> None:
        """After an unknown outcome, or a commit that matched nothing: by (`_id`, token)."""
        if await self._is_done(work):
            work.succeed()
        else:
            await self._send_again(work)

    async def barred(self, work: W, closures: list[Closed]) -> None:
        """Closures that a newer epoch outdates are reopened; with any other what is pending is removed."""
        try:
            binding = await self._judge.settled(work, closures)
        except Unavailable as error:
            await self.abandon(work, error)
            return
        if binding:
            await self.abandon(work, closed_problem(binding))
        else:
            self._steps.commit(work)

    async def abandon(self, work: W, error: Exception) -> None:
        """Removes what is pending, and refuses; or finds that somebody has committed it."""
        if await self._is_done(work):
            work.succeed()
        else:
            work.refuse(error)

    @abstractmethod
    async def _is_done(self, work: W) -> bool: ...

    @abstractmethod
    async def _send_again(self, work: W) -> None: ...
