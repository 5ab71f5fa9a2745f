"""What every service is told by its environment. A service subclasses `ServiceSettings`, adds its own and sets
`port`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from kit import fault_points
from kit.secrets import SecretRefused, random_secret, resolve_secret


@dataclass(frozen=True)
class SecretSetting:
    """Metadata of a secret setting: `pepper: Annotated[SecretStr, SecretSetting()]`. Left out in development, it is
    made once by `make` and kept in DATA_DIR/secrets under the setting's name (and `_<service>` if every service has
    its own). `separator` stands between the keys where the setting takes several."""

    make: Callable[[], str] = random_secret
    separator: str | None = None
    per_service: bool = False


class SettingsRefused(Exception):  # noqa: N818 (it says what was done)
    """The settings do not allow a start. One line per setting, with its name and never its value."""


def _fault_point_is_for_tests(spec: str, info: ValidationInfo) -> str:
    if info.data.get("environment") == "production":
        raise ValueError("a process that kills itself is for tests; leave it out in production")
    fault_points.parse(spec)
    return spec


FaultPoint = Annotated[str, AfterValidator(_fault_point_is_for_tests)]  # declared after `environment`, which it reads


class ServiceSettings(BaseSettings):
    """Names in the environment are the fields' names in capitals, without a prefix."""

    service: ClassVar[str] = ""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, validate_by_name=True
    )

    environment: Literal["development", "production"] = "development"
    bind_host: str = "127.0.0.1"
    port: int = Field(default=8100, ge=0, le=65535)
    store_port: int = Field(default=27117, ge=1, le=65535)
    mongodb_url: SecretStr | None = None
    database_prefix: str = Field(default="omnitrade", pattern=r"^[a-z][a-z0-9_]{0,30}$")
    data_dir: Path = Path(".data")
    gateway_keys: Annotated[SecretStr, SecretSetting(separator=",", per_service=True)]
    cursor_key: Annotated[SecretStr, SecretSetting()]
    reference_consent: str | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"
    body_bytes_max: int = Field(default=1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    requests_max: int = Field(default=1000, ge=1, le=100_000)
    request_timeout_s: float = Field(default=30.0, gt=0, le=300)
    shutdown_timeout_s: float = Field(default=8.0, gt=0, le=60)
    store_wait_s: float = Field(default=30.0, ge=0, le=600)
    fault_point: FaultPoint | None = None

    @model_validator(mode="before")
    @classmethod
    def _resolve_secrets(cls, given: Any) -> Any:
        values = dict(given)
        production = values.get("environment") == "production"
        data_dir = Path(values.get("data_dir") or cls.model_fields["data_dir"].default)
        for name, field in cls.model_fields.items():
            source = next((item for item in field.metadata if isinstance(item, SecretSetting)), None)
            if source is None:
                continue
            value = values.get(name)
            setting = name.upper()
            values[name] = resolve_secret(
                setting,
                value.get_secret_value() if isinstance(value, SecretStr) else value,
                production=production,
                data_dir=data_dir,
                file_name=f"{setting}_{cls.service}" if source.per_service else setting,
                separator=source.separator,
                make=source.make,
            )
        return values

    @classmethod
    def load(cls) -> Self:
        """The settings of this process's environment; SettingsRefused, naming each bad setting, if they are no good."""
        try:
            return cls()
        except SecretRefused as error:
            raise SettingsRefused(str(error)) from None
        except ValidationError as error:
            lines = [f"{'.'.join(str(step) for step in item['loc']).upper()}: {item['msg']}" for item in error.errors()]
            raise SettingsRefused("\n".join(lines)) from None

    @property
    def store_url(self) -> str:
        if self.mongodb_url is not None:
            return self.mongodb_url.get_secret_value()
        return f"mongodb://127.0.0.1:{self.store_port}"

    @property
    def database_name(self) -> str:
        return f"{self.database_prefix}_{self.service}"

    @property
    def gateway_key_list(self) -> tuple[bytes, ...]:
        """The keys that verify the gateway's contexts; the gateway signs with the first."""
        keys = self.gateway_keys.get_secret_value().split(",")
        return tuple(key.strip().encode() for key in keys if key.strip())
