"""What this service is told by its environment, beside what every service is told."""

from typing import ClassVar

from pydantic import Field

from kit.settings import ServiceSettings


class JournalsSettings(ServiceSettings):
    service: ClassVar[str] = "journals"

    port: int = Field(default=8104, ge=0, le=65535, validation_alias="JOURNALS_PORT")
