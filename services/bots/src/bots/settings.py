"""What this service is told by its environment, beside what every service is told."""

from typing import ClassVar

from pydantic import Field

from kit.settings import ServiceSettings


class BotsSettings(ServiceSettings):
    service: ClassVar[str] = "bots"

    port: int = Field(default=8102, ge=0, le=65535, validation_alias="BOTS_PORT")
    reference_consent: str | None = "trading_bots=staking"
    expired_pairs_interval_s: float = Field(default=60, ge=1, le=86400)


def load() -> BotsSettings:
    """The settings of this process's environment. Raises SettingsRefused, naming each bad one."""
    return BotsSettings.load()
