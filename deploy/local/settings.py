"""What can be set for a platform of local processes: the environment variables that the processes read too."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

REPLICAS_MAX = 8
REPLICA_PORT_STEP = 10
WILDCARD_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - named to be translated, not bound

Port = Annotated[int, Field(ge=1, le=65535)]
Replicas = Annotated[int, Field(ge=1, le=REPLICAS_MAX)]


class LocalSettings(BaseSettings):
    """Read from the environment once; an empty value is as good as none."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    environment: Literal["development", "production"] = "development"
    bind_host: str = "127.0.0.1"
    gateway_port: Port = 8080
    users_port: Port = 8101
    bots_port: Port = 8102
    staking_port: Port = 8103
    store_port: Port = 27117
    gateway_replicas: Replicas = 1
    users_replicas: Replicas = 1
    bots_replicas: Replicas = 1
    staking_replicas: Replicas = 1
    mongodb_url: str | None = None
    store_kind: Literal["auto", "mongod", "embedded"] = "auto"
    admin_email: str = "admin@omnitrade.example"
    database_prefix: str = "omnitrade"
    data_dir: Path = Path(".data")
    gateway_keys: str | None = None

    @property
    def data_folder(self) -> Path:
        """DATA_DIR as an absolute path, since children may run elsewhere."""
        return self.data_dir.expanduser().absolute()

    @property
    def reachable_host(self) -> str:
        """The address at which this machine reaches what listens on BIND_HOST."""
        return WILDCARD_HOSTS.get(self.bind_host, self.bind_host)

    @property
    def gateway_url(self) -> str:
        return http_url(self.reachable_host, self.gateway_port)

    def ports(self, name: str) -> list[int]:
        """The ports of a service's or the gateway's replicas: port, port + 10, port + 20 …"""
        first: int = getattr(self, f"{name}_port")
        replicas: int = getattr(self, f"{name}_replicas")
        return [first + REPLICA_PORT_STEP * number for number in range(replicas)]


def http_url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
