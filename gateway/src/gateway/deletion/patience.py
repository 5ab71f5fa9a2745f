"""How long clients are let wait for what goes on without them: no longer, once the gateway is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

GRACE_S: Final = 0.25
"""So long after that clients wait all the same: what is about to end is answered as ever."""


class Patience:
    """Shared by all who wait."""

    def __init__(self) -> None:
        self._waits: set[asyncio.Timeout] = set()
        self._until: float | None = None

    def end(self) -> None:
        """Once, in the event loop. For those who wait, and for those who come."""
        self._until = asyncio.get_running_loop().time() + GRACE_S
        for wait in self._waits:
            wait.reschedule(self._until)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """The block is cut short, without an error, where patience is at its end."""
        try:
            async with asyncio.timeout_at(self._until) as wait:
                self._waits.add(wait)
                try:
                    yield
                finally:
                    self._waits.discard(wait)
        except TimeoutError:
            if not wait.expired():
                raise
