from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from users_service import UsersService, users_service


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def service(tmp_path: Path, anyio_backend: str) -> AsyncIterator[UsersService]:
    async with users_service(tmp_path) as running:
        yield running
