"""The behaviour suite runs over HTTP through the gateway, on the store named by STORE (mongomock, embedded, engine)."""

import os
from collections.abc import Iterator

import pytest
from api import Api, sign_in, sign_up
from platforms import Platform, start_platform
from scenes import import_markets


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    running = start_platform(store=os.environ.get("STORE", "mongomock"), AUDIT_RECHECK_S="1")
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def admin(platform: Platform) -> Api:
    return sign_in(platform.base_url, platform.admin_email, platform.admin_password)


@pytest.fixture(scope="session")
def markets(admin: Api) -> None:
    import_markets(admin, "binance")
    import_markets(admin, "kraken")


@pytest.fixture
def anonymous(platform: Platform) -> Api:
    return Api(platform.base_url)


@pytest.fixture
def trader(platform: Platform, markets: None) -> Api:
    return sign_up(platform.base_url, "trader")


@pytest.fixture
def stranger(platform: Platform, markets: None) -> Api:
    return sign_up(platform.base_url, "stranger")
