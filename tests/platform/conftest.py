"""Real processes: a platform on free ports with a data folder of its own, on the embedded store or the real engine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from api import Api, sign_in, sign_up
from parts import Parts
from processes import processes_of, until
from scenes import import_markets

from deploy.local.background import BackgroundPlatform


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[BackgroundPlatform]:
    """Started; nothing of it is left afterwards, whatever the test did to it."""
    planned = BackgroundPlatform.plan(tmp_path / "data", STORE_KIND="embedded")
    planned.start()
    try:
        yield planned
    finally:
        planned.stop()
        until(lambda: not processes_of(planned.data_folder), f"{processes_of(planned.data_folder)} did not end")


@pytest.fixture(scope="module")
def admin(parts: Parts) -> Api:
    """Of the module's own `parts`, with markets to trade on."""
    admin = sign_in(parts.gateway_url, *parts.admin)
    import_markets(admin, "binance")
    return admin


@pytest.fixture
def trader(parts: Parts, admin: Api) -> Api:
    """A new one for each test."""
    return sign_up(parts.gateway_url)


@pytest.fixture(scope="module", params=["embedded", "engine"])
def store_url(request: pytest.FixtureRequest) -> str | None:
    """Each store in turn: None for the embedded one. CI has the engine; elsewhere it may be missing."""
    if request.param == "embedded":
        return None
    url = os.environ.get("MONGODB_URL")
    if url is None and os.environ.get("CI"):
        pytest.fail("MONGODB_URL names no engine, and CI must not do without")
    return url or pytest.skip("MONGODB_URL names no engine")
