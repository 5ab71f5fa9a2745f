from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from gateway_stand_in import Client, GatewayStandIn
from mock_store import mock_client
from notes_service import GATEWAY_KEY, USER, notes_app

from kit.store import StoreClient


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def client() -> StoreClient:
    return mock_client()


@pytest.fixture
def app(tmp_path: Path, client: StoreClient) -> FastAPI:
    return notes_app(tmp_path, client)


@pytest.fixture
async def gateway(app: FastAPI) -> AsyncIterator[GatewayStandIn]:
    async with GatewayStandIn(app, "notes", GATEWAY_KEY.encode()) as started:
        yield started


@pytest.fixture
def user(gateway: GatewayStandIn) -> Client:
    return gateway.as_(USER)
