"""What this service is told by its environment, beside what every service is told."""

from typing import ClassVar

from pydantic import Field

from kit.settings import ServiceSettings


class StakingSettings(ServiceSettings):
    """Nobody else refers to what this service owns, unless REFERENCE_CONSENT says so. `ledger_sweep_after_s`: how long
    a movement may be under way before a sweep drives it on too."""

    service: ClassVar[str] = "staking"

    port: int = Field(default=8103, ge=0, le=65535, validation_alias="STAKING_PORT")
    reference_consent: str | None = ""
    ledger_sweep_interval_s: float = Field(default=2.0, ge=0.05, le=3600)
    ledger_sweep_after_s: float = Field(default=5.0, ge=0, le=3600)
    distribution_interval_s: float = Field(default=60.0, ge=0.05, le=3600)
    finishing_interval_s: float = Field(default=30.0, ge=0.05, le=3600)


def load() -> StakingSettings:
    """The settings of this process's environment. Raises SettingsRefused, naming each bad one."""
    return StakingSettings.load()
