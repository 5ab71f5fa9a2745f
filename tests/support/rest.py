"""A platform's databases, read when nobody writes any more: what is unfinished, and what is there."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.anti_join import Entities, Joined, all_rows, anti_join
from deploy.openapi import openapi_documents
from kit.clock import FixedClock
from kit.references.reaper import SEEN_TWICE_AFTER_S, Reaper
from kit.store import Store, StoreClient

POLL_S = 0.25
DELETIONS = "reference_deletions"


@dataclass
class Found:
    """`open` are deletions that are not at their end, `intents` how many writes of clients that died were reaped."""

    joined: Joined
    open: list[str]
    intents: int
    users: set[str]
    accounts: set[str]
    bots: set[str]

    @property
    def unfinished(self) -> list[str]:
        """What a platform that was left alone still has to bring to an end."""
        return [*self.open, *self.joined.undecided, *self.joined.leftover]


def entities_here() -> dict[str, Entities]:
    """By service, what the platform's own services say in their documents."""
    return {service: document["x-entities"] for service, document in openapi_documents().items()}


async def found_at_rest(url: str, prefix: str, entities: Mapping[str, Entities], timeout_s: float) -> Found:
    """As soon as nothing is unfinished, or as it was at the end of the time."""
    client = await StoreClient.connect(url)
    stores = {service: client.database(f"{prefix}_{service}") for service in entities}
    give_up_at = time.monotonic() + timeout_s
    try:
        while True:
            open_now = [name for service, store in stores.items() for name in await _open(store, service)]
            if not open_now or time.monotonic() > give_up_at:
                found = await _read(stores, entities, open_now)
                if not found.unfinished or time.monotonic() > give_up_at:
                    return found
            await asyncio.sleep(POLL_S)
    finally:
        await client.close()


async def _open(store: Store, service: str) -> list[str]:
    rows = await store.rows(DELETIONS).find({"open": True}, limit=1_000)
    return [f"{service}: {row['_id']} of {row['entity']} {row['documentId']} is {row['state']}" for row in rows]


async def _read(stores: Mapping[str, Store], entities: Mapping[str, Entities], open_now: list[str]) -> Found:
    reaped = 0
    for service, store in stores.items():
        reaped += await _reaped(store, entities[service])
    joined = await anti_join(stores, entities)
    ids = {
        name: {row["_id"] for row in await all_rows(stores[service], name)}
        for service, name in (("users", "users"), ("users", "exchange_accounts"), ("bots", "trading_bots"))
    }
    return Found(joined, open_now, reaped, ids["users"], ids["exchange_accounts"], ids["trading_bots"])


async def _reaped(store: Store, entities: Entities) -> int:
    """What the services' own reaper does in a minute and a half, without the wait: nobody writes meanwhile."""
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    reaper = Reaper([store.rows(name) for name in entities], clock=clock)
    await reaper.sweep()
    clock.advance(SEEN_TWICE_AFTER_S + 1)
    return await reaper.sweep()
