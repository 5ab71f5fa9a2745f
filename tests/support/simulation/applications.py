"""The real applications, made once for each place (making one takes a tenth of a second) and handed to one process
after another."""

import base64
import functools
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cabinet_service
import structlog
from beanie import init_beanie
from cabinet_service import CABINET
from mock_store import mock_motor
from simulation.sources import VirtualClock

import bots.app
import bots.settings
import gateway.discovery
import staking.app
import staking.settings
import users.app
import users.settings
from gateway.app import Gateway
from gateway.documents import read_document
from gateway.settings import GatewaySettings
from kit.documents import Stored
from kit.store import StoreClient
from kit.store.client import Store

GATEWAY = "gateway"
SERVICES = ("users", "bots", "staking")
PLACES = ("users/1", "bots/1", "bots/2", "staking/1")
MORE_PLACES = ("users/2", "staking/2")
"""Where there are two replicas of everything."""
GUEST_PLACES = (f"{CABINET}/1",)
"""Where another team's service has joined."""
GATEWAYS = ("gateway/1", "gateway/2")
PREFIX = "sim"
SEED = hashlib.sha256(b"the simulation's signing key").digest()
_KEYS = {name: f"simulated-gateway-key-of-{name}-0123456789abcdef" for name in (*SERVICES, CABINET)}
_MODULES: dict[str, Any] = {"users": users.app, "bots": bots.app, "staking": staking.app, CABINET: cabinet_service}
_CONSENT = {
    "users": f"users=bots,staking,{CABINET} exchange_accounts=bots",
    "bots": f"trading_bots=staking,{CABINET}",
}
DOCUMENTS: dict[str, tuple[type[Stored], ...]] = {name: tuple(one.DOCUMENTS) for name, one in _MODULES.items()}


class InstantHasher:
    """Stands in for argon2, which is slow on purpose."""

    def __init__(self, cost: Any = None) -> None:
        del cost

    async def hash(self, secret: str) -> str:
        return "instant$" + hashlib.sha256(secret.encode()).hexdigest()

    async def verify(self, hashed: str, secret: str) -> bool:
        return hashed == await self.hash(secret)

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Application:
    """One place's app. `client` and `clock` are what it was made with; they are set anew for every process."""

    app: Any
    client: StoreClient
    clock: VirtualClock


def host_of(place: str) -> str:
    return place.replace("/", "-")


def database_of(service: str) -> str:
    return f"{PREFIX}_{service}"


def service_settings(service: str) -> Any:
    values: dict[str, Any] = {
        "environment": "development",
        "data_dir": Path("/nonexistent"),
        "database_prefix": PREFIX,
        "gateway_keys": _KEYS[service],
        "cursor_key": "simulated-cursor-key-0123456789abcdef",
    }
    if service in _CONSENT:
        values["reference_consent"] = _CONSENT[service]
    if service == CABINET:
        return cabinet_service.CabinetSettings(**values)
    module: Any = {"users": users.settings, "bots": bots.settings, "staking": staking.settings}[service]
    if service == "users":
        seed = base64.urlsafe_b64encode(SEED).decode().rstrip("=")
        pepper = "simulated-pepper-0123456789abcdef"
        values |= {
            "jwt_signing_keys": seed,
            "exchange_key_pepper": pepper,
            "api_key_pepper": pepper,
            "admin_password": "a password that nobody uses 7",
        }
        return module.UsersSettings(**values)
    if service == "bots":
        return module.BotsSettings(**values)
    return module.StakingSettings(**values, ledger_sweep_interval_s=5.0)


def service_of(place: str) -> str:
    return place.partition("/")[0]


@functools.cache
def gateway_settings(places: tuple[str, ...]) -> GatewaySettings:
    addresses: dict[str, list[str]] = {}
    for place in places:
        addresses.setdefault(service_of(place), []).append(f"http://{host_of(place)}:80")
    return GatewaySettings(
        environment="development",
        services=" ".join(f"{name}={','.join(listed)}" for name, listed in addresses.items()),
        gateway_keys=" ".join(f"{name}={key}" for name, key in _KEYS.items()),
        delete_sweep_interval_s=5.0,
        audit_sweep_interval_s=20.0,
    )


@functools.cache
def application(place: str) -> Application:
    service = service_of(place)
    client = StoreClient.from_motor(None)
    clock = VirtualClock()
    return Application(
        _MODULES[service].create_app(service_settings(service), client=client, clock=clock), client, clock
    )


def gateway_app(places: tuple[str, ...], upstream: Any, clock: VirtualClock) -> Gateway:
    return Gateway(gateway_settings(places), upstream=upstream, clock=clock)


_bound: set[type[Any]] = set()


async def _prepare(self: Store, documents: Any, *, build_indexes: bool = True) -> None:
    """Beanie is bound once, to a store that nobody uses: operations use their own service's."""
    unbound = [one for one in documents if one not in _bound]
    if unbound:
        await init_beanie(database=mock_motor()["bound"], document_models=unbound, skip_indexes=True)
        _bound.update(unbound)
    if build_indexes:
        for one in documents:
            await self._build_indexes(one)


_read_document = functools.lru_cache(maxsize=64)(read_document)


@contextmanager
def cheapened() -> Iterator[None]:
    """What would only cost in a simulation: logs, argon2, binding Beanie and compiling documents again and again."""
    before = [(users.app, "SecretHasher"), (gateway.discovery, "read_document"), (Store, "prepare")]
    kept = [(owner, name, getattr(owner, name)) for owner, name in before]
    configuration = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for (owner, name, _), value in zip(kept, (InstantHasher, _read_document, _prepare), strict=True):
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in kept:
            setattr(owner, name, value)
        structlog.configure(**configuration)
