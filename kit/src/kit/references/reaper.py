"""Removes intents that nobody brings to an end any more. It decides nothing: a write that it takes away was never
acknowledged, and whoever still waits for it finds out by its token."""

from collections.abc import Sequence

from kit.clock import Clock
from kit.references.create_recovery import remove_intent
from kit.references.slots import clear_slot
from kit.store.hidden import CREATE, INTENT, INTENT_REFS
from kit.store.rows import Rows

SEEN_TWICE_AFTER_S = 60.0
INTERVAL_S = 30.0
PAGE = 500
PAGES_MAX = 20


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
            for document_id, token, kind in await self._pending(rows):
                key = (rows.name, document_id, token)
                first = self._seen.get(key, now)
                if now - first < SEEN_TWICE_AFTER_S:
                    still[key] = first
                    continue
                remove = remove_intent if kind == CREATE else clear_slot
                removed += await remove(rows, document_id, token)
        self._seen = still
        return removed

    async def _pending(self, rows: Rows) -> list[tuple[str, str, str]]:
        found: list[tuple[str, str, str]] = []
        after = ""
        for _ in range(PAGES_MAX):
            where = {INTENT_REFS: {"$exists": True}, "_id": {"$gt": after}}
            page = await rows.find(where, fields=[INTENT], sort=[("_id", 1)], limit=PAGE)
            found += [(row["_id"], row[INTENT]["token"], row[INTENT]["kind"]) for row in page]
            if len(page) < PAGE:
                break
            after = page[-1]["_id"]
        return found
