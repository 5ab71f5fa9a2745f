from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def log() -> Iterator[list[object]]:
    """What was logged; not rendered, since rendering a traceback takes longer than most tests."""
    with capture_logs() as entries:
        yield entries  # type: ignore[misc]
