"""How a run of the benchmark is made: rounds, seconds, folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """`seconds` is how long each side is under load in each of the `rounds`."""

    rounds: int
    seconds: float
    folder: Path
    mongodb_url: str | None

    @property
    def store(self) -> str:
        return "the store of MONGODB_URL" if self.mongodb_url else "the embedded store"
