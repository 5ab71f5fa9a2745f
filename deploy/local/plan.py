"""Which processes make up a platform on this machine, as values: nothing is started here."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from deploy.local.settings import LocalSettings, http_url

SERVICES = ("users", "bots", "staking")
GATEWAY = "gateway"
READY_PATH = "/health/ready"
SHUTDOWN_TIMEOUT_S = "2"  # what a process may take to finish its requests; less than the supervisor's patience


class Stage(IntEnum):
    """What starts after what; stopped in the opposite order."""

    STORE = 0
    SERVICES = 1
    GATEWAY = 2


@dataclass(frozen=True)
class ProcessPlan:
    """One process: how it is started and how it is known to be ready (an HTTP path, or that its port answers)."""

    name: str
    stage: Stage
    argv: tuple[str, ...]
    host: str
    port: int
    port_setting: str
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_path: str | None = None
    pid_file: Path | None = None
    unshown: str | None = None  # lines of its log that hold this are not shown

    @property
    def address(self) -> str:
        return http_url(self.host, self.port) if self.ready_path else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class StorePlan:
    """Where the databases are, and the process to start for that, unless the store is somebody else's."""

    url: str
    description: str
    process: ProcessPlan | None = None
    replica_set: str | None = None


class PlanError(Exception):
    """The settings cannot be carried out; the message names the setting."""


def service_plans(settings: LocalSettings, store: StorePlan) -> list[ProcessPlan]:
    """The services and the gateway, every replica."""
    plans = []
    for name in (*SERVICES, GATEWAY):
        ports = settings.ports(name)
        for number, port in enumerate(ports, start=1):
            plans.append(
                ProcessPlan(
                    name=name if len(ports) == 1 else f"{name}.{number}",
                    stage=Stage.GATEWAY if name == GATEWAY else Stage.SERVICES,
                    argv=(sys.executable, "-m", name),
                    host=settings.reachable_host,
                    port=port,
                    port_setting=f"{name.upper()}_PORT",
                    environment=_environment(name, port, settings, store),
                    ready_path=READY_PATH,
                )
            )
    return plans


def service_addresses(settings: LocalSettings) -> str:
    """The gateway's SERVICES setting: name=address, several addresses with commas."""
    lists = ((name, [http_url(settings.reachable_host, port) for port in settings.ports(name)]) for name in SERVICES)
    return " ".join(f"{name}={','.join(addresses)}" for name, addresses in lists)


def _environment(name: str, port: int, settings: LocalSettings, store: StorePlan) -> dict[str, str]:
    environment = {
        "ENVIRONMENT": settings.environment,
        "BIND_HOST": settings.bind_host,
        "DATA_DIR": str(settings.data_folder),
        "PYTHONUNBUFFERED": "1",
        "SHUTDOWN_TIMEOUT_S": os.environ.get("SHUTDOWN_TIMEOUT_S", SHUTDOWN_TIMEOUT_S),
        f"{name.upper()}_PORT": str(port),
    }
    if name == GATEWAY:
        environment["SERVICES"] = os.environ.get("SERVICES") or service_addresses(settings)
    else:
        environment["MONGODB_URL"] = store.url
        environment["DATABASE_PREFIX"] = settings.database_prefix
        if settings.gateway_keys:
            environment["GATEWAY_KEYS"] = keys_of(name, settings.gateway_keys)
    return environment


def keys_of(service: str, gateway_keys: str) -> str:
    """A service's own part of the gateway's GATEWAY_KEYS (`users=k1,k2 bots=k3 staking=k4`)."""
    for entry in gateway_keys.split():
        name, separator, keys = entry.partition("=")
        if separator and name == service:
            return keys
    raise PlanError(f"GATEWAY_KEYS names no key for {service}: write it as `users=… bots=… staking=…`")
