import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mock_store import Faults, faulty_client
from motor.motor_asyncio import AsyncIOMotorClient
from office import Office

from kit.ids import new_id
from kit.store.quirks import is_embedded


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def faults(office: Office) -> Faults:
    return office.faults


@pytest.fixture(params=["mongomock", *(["MONGODB_URL", "sessions"] if os.environ.get("MONGODB_URL") else [])])
async def office(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Office]:
    """A service on a store whose operations yield and can be made to fail; on a real store too, if one is given, and
    there once more in the way that a cluster is used, with majority reads in causally consistent sessions."""
    inner: Any = None
    embedded = False
    if request.param != "mongomock":
        inner = AsyncIOMotorClient(os.environ["MONGODB_URL"], tz_aware=True, w="majority", retryWrites=False)
        embedded = is_embedded(await inner.admin.command("buildInfo"))
    client, faults = faulty_client(inner=inner, causal=request.param == "sessions", embedded=embedded)
    made = await Office(client, faults=faults, name=f"office_{new_id()[-12:]}").start()
    faults.calls.clear()
    yield made
    for fault in faults.rules:
        fault.gate.open()
    await made.references.stop()
    await client.drop_database(made.store.name)
    await client.close()
