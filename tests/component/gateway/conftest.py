import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from audited_platform import AuditedPlatform, audited_platform
from deleting_platform import DeletingPlatform, deleting_platform
from stub_deletes import StubDeletes
from stub_platform import ACCOUNT, ADMIN, ALICE, BOB, BOBS_ACCOUNT, KEYS, STAKE, Issuer, bots_document, users_document
from stub_registry import StubRegistries
from stub_services import Stub, free_port, replies, serving

from gateway.app import Gateway, create_app
from gateway.server import limited_protocol
from gateway.settings import GatewaySettings

KEY_INTERVAL_S = 0.3
TLS = ssl.create_default_context()  # made once: a client makes one of its own otherwise, which costs more than a test


@dataclass
class Platform:
    """The gateway before two stubs, which start with it."""

    users: Stub
    bots: Stub
    issuer: Issuer
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    app: Gateway | None = None
    base_url: str = ""

    @asynccontextmanager
    async def gateway(self, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        """A gateway of its own, and a client of it, signed in as Alice. The stubs are started by whoever asks for
        them."""
        given = {
            "services": f"users={self.users.url} bots={self.bots.url}",
            "gateway_keys": " ".join(f"{name}={key.decode()}" for name, key in KEYS.items()),
            "data_dir": self.folder,
            "document_interval_s": 0.1,
            "unknown_key_interval_s": KEY_INTERVAL_S,
            **self.settings,
            **settings,
        }
        made = GatewaySettings(**given)
        self.app = create_app(made)
        async with serving(self.app, limited_protocol(made.header_bytes_max)) as port:
            self.base_url = f"http://127.0.0.1:{port}"
            async with self.client() as client:
                yield client

    def client(self, token: str | None = "alice") -> httpx.AsyncClient:  # noqa: S107 (a name, not a token)
        headers = {} if token is None else {"authorization": f"Bearer {self.token() if token == 'alice' else token}"}
        return httpx.AsyncClient(base_url=self.base_url, headers=headers, timeout=10, verify=TLS)

    def token(self, user_id: str = ALICE, *roles: str) -> str:
        return self.issuer.token(user_id, roles or ("user",))

    @property
    def catalogue(self) -> Any:
        assert self.app is not None
        assert self.app.running is not None
        return self.app.running.catalogue


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    """Both stubs are up, and hold a little; the gateway is started by the test."""
    issuer = Issuer()
    users = Stub("users", KEYS["users"], users_document(), port=free_port())
    bots = Stub("bots", KEYS["bots"], bots_document(), port=free_port())
    users.answers["GET", "/.well-known/jwks.json"] = replies(200, {"keys": [issuer.jwk]})
    for user_id in (ALICE, BOB):
        users.rows["users", user_id] = {"owner": user_id, "status": "active"}
    users.rows["exchange_accounts", ACCOUNT] = {"userId": ALICE, "exchangeName": "binance", "owner": ALICE}
    users.rows["exchange_accounts", BOBS_ACCOUNT] = {"userId": BOB, "exchangeName": "kraken", "owner": BOB}
    bots.rows["market_pairs", "binance:BTC-USDT"] = {"exchange": "binance", "symbol": "BTC/USDT"}
    bots.rows["user_stakes", STAKE] = {"userId": ALICE}
    async with AsyncExitStack() as stack:
        for stub in (users, bots):
            await stub.start()
            stack.push_async_callback(stub.stop)
        yield Platform(users, bots, issuer, tmp_path)


@pytest.fixture
async def alice(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.gateway() as client:
        yield client


@pytest.fixture
def deletes(platform: Any) -> StubDeletes:
    """A gateway that is started after this coordinates the deletes of users."""
    document = users_document()
    document["paths"]["/v1/users/{userId}"]["delete"]["x-reference-delete"] = "users"
    platform.users.document = document
    platform.settings |= {"delete_wait_s": 0.3, "delete_sweep_interval_s": 0.05, "delete_idle_s": 0.2}
    return StubDeletes(platform.users, platform.bots)


@pytest.fixture
async def deleting(tmp_path: Path, anyio_backend: str) -> AsyncIterator[DeletingPlatform]:
    """Real services instead of stubs, for deletes."""
    async with deleting_platform(tmp_path) as made:
        yield made


@pytest.fixture
async def two(tmp_path: Path, anyio_backend: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AuditedPlatform]:
    """Real services instead of stubs, for audits, with hardly a pause between their steps."""
    monkeypatch.setattr("gateway.integrity.calls.PAUSE_S", 0.02)
    async with audited_platform(tmp_path) as made:
        yield made


@pytest.fixture
def registries(platform: Platform) -> StubRegistries:
    return StubRegistries(platform.users, platform.bots)


@pytest.fixture
async def admin(platform: Platform, registries: StubRegistries) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.gateway(validation_kept_s=0) as client:
        await soon(lambda: not platform.catalogue.missing)
        client.headers["authorization"] = f"Bearer {platform.token(ADMIN, 'admin')}"
        yield client


async def soon(what: Callable[[], Any] | Callable[[], Awaitable[Any]], within_s: float = 20.0) -> Any:
    """What `what` gives, once it is true."""
    give_up_at = asyncio.get_running_loop().time() + within_s
    while True:
        found = what()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert asyncio.get_running_loop().time() < give_up_at, "it did not become true in time"
        await asyncio.sleep(0.02)


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    return soon
