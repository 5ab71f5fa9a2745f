from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bots_service import BotsService, Trader, bots_service
from mock_store import Faults, faulty_client

from kit.store import StoreClient


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def service(tmp_path: Path, anyio_backend: str) -> AsyncIterator[BotsService]:
    async with bots_service(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
async def refusing(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[BotsService]:
    """One service for all tests of requests that leave nothing behind."""
    async with bots_service(tmp_path_factory.mktemp("refusing")) as running:
        yield running


@pytest.fixture
async def markets(service: BotsService) -> BotsService:
    """The service with both exchanges' real markets."""
    await service.import_markets("binance")
    await service.import_markets("kraken")
    return service


@pytest.fixture
def owner(markets: BotsService) -> Trader:
    return markets.trader()


@pytest.fixture
def faulty() -> tuple[StoreClient, Faults]:
    return faulty_client(seed=7)


@pytest.fixture
def faults(faulty: tuple[StoreClient, Faults]) -> Faults:
    return faulty[1]


@pytest.fixture
async def replicas(
    tmp_path: Path, faulty: tuple[StoreClient, Faults], anyio_backend: str
) -> AsyncIterator[tuple[BotsService, BotsService]]:
    """Two replicas on one store that yields, and fails as `faults` says."""
    client, _ = faulty
    async with bots_service(tmp_path, client=client) as one, bots_service(tmp_path, client=client) as other:
        await one.import_markets()
        yield one, other
