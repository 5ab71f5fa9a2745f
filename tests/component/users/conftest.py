from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from users_service import UsersService, users_service


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[UsersService]:
    async with users_service(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[UsersService]:
    """One service for all the refusals of a module, which leave nothing behind that another test looks at."""
    async with users_service(tmp_path_factory.mktemp("shared")) as running:
        yield running
