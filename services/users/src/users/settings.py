"""What this service is told by its environment, beside what every service is told."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from kit.secrets import DEVELOPMENT_PREFIX
from kit.settings import SecretSetting, ServiceSettings
from users.domain.emails import normalise_email
from users.domain.passwords import password_fault, prepare_password
from users.domain.signing_seeds import parse_seeds

# The least product of memory and iterations among the parameters that OWASP's password storage cheat sheet calls equal.
ARGON2_WORK_MIN = 7168 * 5


class UsersSettings(ServiceSettings):
    """Days count from sign-in or last use; memory is per running hash."""

    service: ClassVar[str] = "users"

    port: int = Field(default=8101, ge=0, le=65535, validation_alias="USERS_PORT")
    reference_consent: str | None = "users=bots,staking exchange_accounts=bots"
    jwt_signing_keys: Annotated[SecretStr, SecretSetting(separator=",")]
    exchange_key_pepper: Annotated[SecretStr, SecretSetting()]
    admin_email: str = "admin@omnitrade.example"
    admin_password: SecretStr | None = None
    refresh_idle_days_max: int = Field(default=30, ge=1, le=365)
    refresh_age_days_max: int = Field(default=90, ge=1, le=365)
    sessions_per_user_max: int = Field(default=50, ge=1, le=1000)
    sessions_sweep_interval_s: float = Field(default=300, ge=1, le=86400)
    erasures_sweep_interval_s: float = Field(default=60, ge=1, le=86400)
    argon2_memory_kib: int = Field(default=19456, ge=7168, le=1048576)
    argon2_iterations: int = Field(default=2, ge=1, le=100)
    argon2_lanes: int = Field(default=1, ge=1, le=16)
    argon2_running_max: int = Field(default=2, ge=1, le=64)
    argon2_waiting_max: int = Field(default=200, ge=0, le=10000)

    @field_validator("jwt_signing_keys")
    @classmethod
    def _keys_have_their_form(cls, keys: SecretStr) -> SecretStr:
        parse_seeds(_without_marks(keys))
        return keys

    @field_validator("admin_email")
    @classmethod
    def _email_is_one(cls, email: str) -> str:
        return normalise_email(email)

    @model_validator(mode="after")
    def _first_password_is_good(self) -> Self:
        if self.admin_password is not None:
            fault = password_fault(prepare_password(self.admin_password.get_secret_value()), email=self.admin_email)
            if fault is not None:
                raise ValueError(f"ADMIN_PASSWORD is refused: {fault}")
        return self

    @model_validator(mode="after")
    def _hashing_costs_enough(self) -> Self:
        if self.argon2_memory_kib * self.argon2_iterations < ARGON2_WORK_MIN:
            raise ValueError(f"ARGON2_MEMORY_KIB times ARGON2_ITERATIONS must be at least {ARGON2_WORK_MIN}")
        return self

    @property
    def signing_seeds(self) -> tuple[bytes, ...]:
        """The seeds of the keys that sign access tokens, the signing one first."""
        return parse_seeds(_without_marks(self.jwt_signing_keys))


def _without_marks(keys: SecretStr) -> str:
    """A key that was made for development carries a prefix, by which production refuses it."""
    return ",".join(part.strip().removeprefix(DEVELOPMENT_PREFIX) for part in keys.get_secret_value().split(","))


def load() -> UsersSettings:
    """The settings of this process's environment. Raises SettingsRefused, naming each bad one."""
    return UsersSettings.load()
