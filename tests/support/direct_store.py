"""Reads and writes behind a platform's back, past every service: how orphans come about."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from in_process import InProcessPlatform
from platforms import Platform

from deploy.local.background import BackgroundPlatform
from kit.store import StoreClient
from kit.store.rows import Row, Rows

T = TypeVar("T")


class DirectStore:
    """One service's database of a running platform."""

    def __init__(self, platform: Platform, service: str) -> None:
        self._platform = platform
        self._database = f"{platform.database_prefix}_{service}"

    def find_one(self, collection: str, **where: Any) -> Row | None:
        return self._do(collection, lambda rows: rows.find_one(where))

    def insert(self, collection: str, row: Row) -> None:
        self._do(collection, lambda rows: rows.insert(row))

    def delete(self, collection: str, **where: Any) -> int:
        return self._do(collection, lambda rows: rows.delete_many(where))

    def _do(self, collection: str, use: Callable[[Rows], Awaitable[T]]) -> T:
        running = self._platform.running

        async def through(client: StoreClient) -> T:
            return await use(client.database(self._database).rows(collection))

        if isinstance(running, InProcessPlatform):
            assert running.store_client is not None
            return running.run(through(running.store_client))
        assert isinstance(running, BackgroundPlatform)
        url = self._platform.store_url or f"mongodb://127.0.0.1:{running.environment['STORE_PORT']}"

        async def alone() -> T:
            client = await StoreClient.connect(url)
            try:
                return await through(client)
            finally:
                await client.close()

        return asyncio.run(alone())
