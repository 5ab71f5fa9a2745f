"""Contracts whose end has come are delisted, so that filters by state say so too."""

from bots.documents.market_pairs import MarketPair
from bots.domain.market_import import MarketState
from kit.runtime import Runtime
from kit.workers import Worker


def expired_pairs(runtime: Runtime, *, interval_s: float) -> Worker:
    """Every replica may run it: what one has delisted the others don't find."""

    async def run_once() -> None:
        now = runtime.clock.now()
        where = {"delistAt": {"$lte": now}, "state": {"$ne": MarketState.DELISTED.value}}
        change = {"$set": {"state": MarketState.DELISTED.value, "updatedAt": now}, "$inc": {"version": 1}}
        await runtime.store.collection(MarketPair).update_many(where, change)

    return Worker("expired pairs", interval_s, run_once)
