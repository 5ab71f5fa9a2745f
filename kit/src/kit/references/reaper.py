"""Removes intents that nobody brings to an end any more. It decides nothing: a write that it takes away was never
acknowledged, and whoever still waits for it finds out by its token."""

from collections.abc import Sequence

from kit.clock import Clock
from kit.references.under_way import under_way
from kit.store.rows import Rows

SEEN_TWICE_AFTER_S = 60.0
INTERVAL_S = 30.0
AT_ONCE_MAX = 10_000
"""Looked at in one sweep of a collection."""


class Reaper:
    """An intent goes if this process saw it, and saw it again at least a minute later on its own monotonic clock. Its
    `at` is of another machine's clock and isn't asked."""

    def __init__(self, collections: Sequence[Rows], *, clock: Clock) -> None:
        self._collections = tuple(collections)
        self._clock = clock
        self._seen: dict[tuple[str, str, str], float] = {}

    async def run_once(self) -> None:
        await self.sweep()

    async def sweep(self) -> int:
        """One look at every collection; how many intents and slots were removed."""
        now = self._clock.monotonic()
        still: dict[tuple[str, str, str], float] = {}
        removed = 0
        for rows in self._collections:
            for one in await under_way(rows, limit=AT_ONCE_MAX):
                key = (rows.name, one.id, one.token)
                first = self._seen.get(key, now)
                if now - first < SEEN_TWICE_AFTER_S:
                    still[key] = first
                else:
                    removed += await one.undo(rows)
        self._seen = still
        return removed
