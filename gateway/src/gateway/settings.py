"""What the gateway is told by its environment. Names there are the fields' names in capitals."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.client import Address
from kit.secrets import SecretRefused, check_secret, development_secret
from kit.settings import FaultPoint, SettingsRefused

SERVICES_MAX = 32
ADDRESSES_MAX = 64
SERVICES_DEFAULT = "users=http://127.0.0.1:8101 bots=http://127.0.0.1:8102 staking=http://127.0.0.1:8103"


class GatewaySettings(BaseSettings):
    """`services` is "name=address[,address…] …"; `gateway_keys` is "name=key[,key…] …", of which each service's first
    signs.

    `request_timeout_s` bounds a request until its answer begins; a context is valid for no longer than thirty
    seconds, so it stays below. `idle_timeout_s` bounds each wait for the next part of a body. `delete_wait_s`: how
    long a client waits for a delete before it is told where to follow it; `delete_idle_s`: how long one stands still
    before another gateway takes it over. `audit_recheck_s`: after how long an audit looks at a suspect again, which is
    longer than any request takes; `audit_idle_s`: as `delete_idle_s`.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    environment: Literal["development", "production"] = "development"
    bind_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8080, ge=0, le=65535)
    services: str = SERVICES_DEFAULT
    gateway_keys: SecretStr | None = None
    data_dir: Path = Path(".data")
    identity_service: str = "users"
    issuer: str = Field(default="omnitrade", validation_alias="TOKEN_ISSUER")
    audience: str = Field(default="omnitrade", validation_alias="TOKEN_AUDIENCE")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"
    body_bytes_max: int = Field(default=1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    header_bytes_max: int = Field(default=32 * 1024, ge=1024, le=256 * 1024)
    request_timeout_s: float = Field(default=25.0, gt=0, le=29)
    idle_timeout_s: float = Field(default=30.0, gt=0, le=600)
    shutdown_timeout_s: float = Field(default=10.0, gt=0, le=60)
    validation_timeout_s: float = Field(default=2.0, gt=0, le=10)
    validation_kept_s: float = Field(default=3.0, ge=0, le=10)
    validations_kept_max: int = Field(default=50_000, ge=1, le=1_000_000)
    tokens_kept_max: int = Field(default=10_000, ge=1, le=1_000_000)
    unknown_key_interval_s: float = Field(default=2.0, ge=0.05, le=60)
    document_interval_s: float = Field(default=15.0, ge=0.05, le=3600)
    document_bytes_max: int = Field(default=8 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    delete_wait_s: float = Field(default=10.0, ge=0, le=28)
    delete_step_timeout_s: float = Field(default=20.0, gt=0, le=60)
    delete_sweep_interval_s: float = Field(default=3.0, ge=0.05, le=600)
    delete_idle_s: float = Field(default=5.0, ge=0.05, le=3600)
    audit_recheck_s: float = Field(default=31.0, ge=0, le=600)
    audit_idle_s: float = Field(default=15.0, ge=0.25, le=3600)
    audit_sweep_interval_s: float = Field(default=5.0, ge=0.05, le=600)
    ready_grace_s: float = Field(default=30.0, ge=0, le=600)
    fault_point: FaultPoint | None = None

    @field_validator("services")
    @classmethod
    def _services_are_well_formed(cls, text: str) -> str:
        services = parse_services(text)
        if not services:
            raise ValueError("name at least one service: users=http://127.0.0.1:8101")
        return text

    @model_validator(mode="after")
    def _every_service_has_a_key(self) -> Self:
        names = set(self.addresses)
        if self.gateway_keys is not None:
            given = parse_keys(self.gateway_keys.get_secret_value())
            missing = sorted(names - set(given))
            if missing:
                raise ValueError(f"gateway_keys has no key for {', '.join(missing)}")
        if self.identity_service not in names:
            raise ValueError(f"identity_service {self.identity_service!r} is not one of the services")
        return self

    @classmethod
    def load(cls) -> Self:
        """The settings of this process's environment. Raises SettingsRefused, naming each bad one."""
        try:
            settings = cls()
            settings.signing_keys()
        except SecretRefused as error:
            raise SettingsRefused(str(error)) from None
        except ValidationError as error:
            lines = [f"{'.'.join(str(step) for step in item['loc']).upper()}: {item['msg']}" for item in error.errors()]
            raise SettingsRefused("\n".join(lines)) from None
        return settings

    @property
    def addresses(self) -> dict[str, tuple[Address, ...]]:
        return parse_services(self.services)

    def signing_keys(self) -> dict[str, bytes]:
        """The key that signs for each service. In production all must be given; in development a missing one is the
        file that the service reads too. Raises SecretRefused."""
        names = list(self.addresses)
        production = self.environment == "production"
        if self.gateway_keys is not None:
            given = parse_keys(self.gateway_keys.get_secret_value())
            if production:
                for name in names:
                    check_secret("GATEWAY_KEYS", ",".join(given[name]), separator=",")
            return {name: given[name][0].encode() for name in names}
        if production:
            raise SecretRefused("GATEWAY_KEYS is not set; in production every secret must be given.")
        kept = {name: development_secret(self.data_dir, f"GATEWAY_KEYS_{name}") for name in names}
        return {name: keys.split(",")[0].strip().encode() for name, keys in kept.items()}


def parse_services(text: str) -> dict[str, tuple[Address, ...]]:
    """ "users=http://a:1,http://b:1 bots=http://c:1" by name. Raises ValueError."""
    services: dict[str, tuple[Address, ...]] = {}
    for entry in text.split():
        name, equals, addresses = entry.partition("=")
        if not equals or not name.replace("-", "").replace("_", "").isalnum() or not addresses:
            raise ValueError(f"{entry!r} is not name=address: write users=http://127.0.0.1:8101")
        if name in services:
            raise ValueError(f"{name} stands twice; put its addresses into one entry, with commas")
        if "dns+" in addresses:
            raise ValueError(f"{name}: dns+ addresses are not resolved by this version; list the replicas with commas")
        services[name] = tuple(Address.parse(address) for address in addresses.split(",") if address)
        if not 0 < len(services[name]) <= ADDRESSES_MAX:
            raise ValueError(f"{name} needs one to {ADDRESSES_MAX} addresses")
    if len(services) > SERVICES_MAX:
        raise ValueError(f"at most {SERVICES_MAX} services are taken")
    return services


def parse_keys(text: str) -> dict[str, tuple[str, ...]]:
    """ "users=k1,k2 bots=k3" by name. Raises ValueError, which holds no key."""
    keys: dict[str, tuple[str, ...]] = {}
    for entry in text.split():
        name, equals, values = entry.partition("=")
        given = tuple(value for value in values.split(",") if value)
        if not equals or not name or not given:
            raise ValueError("gateway_keys is not of the form 'users=key,key bots=key'")
        keys[name] = given
    return keys
