"""Who plays in the demo, and what later chapters need of earlier ones."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from demo.api import Api


@dataclass
class Person:
    """A trader with a session and an exchange account. Names are new on every run, so it can run again and again."""

    name: str
    email: str
    password: str = field(repr=False)
    api: Api
    user_id: str
    account_id: str = ""


@dataclass
class Stage:
    """The admin's session (admin includes treasury), the people, and what was made."""

    admin: Api
    run: str = field(default_factory=lambda: secrets.token_hex(3))
    people: dict[str, Person] = field(default_factory=dict)
    bots: dict[str, dict[str, Any]] = field(default_factory=dict)
    pool: dict[str, Any] = field(default_factory=dict)
    stake: dict[str, Any] = field(default_factory=dict)

    @property
    def trader(self) -> Person:
        return self.people["ada"]

    @property
    def stranger(self) -> Person:
        return self.people["eve"]
