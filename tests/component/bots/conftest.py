from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bots_service import BotsService, Trader, bots_service


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def service(tmp_path: Path, anyio_backend: str) -> AsyncIterator[BotsService]:
    async with bots_service(tmp_path) as running:
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
