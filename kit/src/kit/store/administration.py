"""What operators' commands need of a store beside documents: does it answer, is it a replica set, drop databases."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import OperationFailure, PyMongoError

POLL_S = 0.1
TIMEOUT_MS = 2000
ALREADY_INITIALIZED = 23
NOT_YET_INITIALIZED = 94


async def answers(url: str, wait_s: float) -> bool:
    """Whether the store at `url` answers a hello within `wait_s`."""
    deadline = time.monotonic() + wait_s
    async with _client(url) as client:
        while True:
            try:
                await client.admin.command("hello")
            except PyMongoError:
                if time.monotonic() >= deadline:
                    return False
                await asyncio.sleep(POLL_S)
            else:
                return True


async def initiate_replica_set(address: str, name: str, wait_s: float) -> None:
    """Make the single node at `address` (host:port) the primary of a replica set of its own, or TimeoutError."""
    deadline = time.monotonic() + wait_s
    async with _client(f"mongodb://{address}/?directConnection=true") as client:
        while not await _is_primary(client, address, name):
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{address} did not become the primary of {name} within {wait_s:g} s")
            await asyncio.sleep(POLL_S)


async def _is_primary(client: Any, address: str, name: str) -> bool:
    try:
        hello = await client.admin.command("hello")
        if hello.get("isWritablePrimary"):
            return True
        if not hello.get("setName"):
            configuration = {"_id": name, "members": [{"_id": 0, "host": address}]}
            await client.admin.command("replSetInitiate", configuration)
    except OperationFailure as error:
        if error.code not in {ALREADY_INITIALIZED, NOT_YET_INITIALIZED}:
            raise
    except PyMongoError:
        return False
    return False


async def drop_databases(url: str, prefix: str) -> list[str]:
    """Drop every database whose name begins with `prefix` and an underscore; returns their names."""
    async with _client(url) as client:
        names = [name for name in await client.list_database_names() if name.startswith(f"{prefix}_")]
        for name in names:
            await client.drop_database(name)
    return names


@asynccontextmanager
async def _client(url: str) -> AsyncIterator[Any]:
    client: Any = AsyncIOMotorClient(url, serverSelectionTimeoutMS=TIMEOUT_MS, connectTimeoutMS=TIMEOUT_MS)
    try:
        yield client
    finally:
        client.close()
