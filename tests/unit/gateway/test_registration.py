"""Owners are told of what refers to them; also when the services' documents come one after another."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.client import SmallAnswer
from gateway.registration import Registration

pytestmark = pytest.mark.anyio
OWNER = "users"


@dataclass
class Declared:
    """A catalogue in which these services refer to the owner."""

    services: tuple[str, ...]

    @property
    def documents(self) -> dict[str, None]:
        return {OWNER: None}

    def registrations(self, owner: str) -> dict[str, list[Any]]:
        return {service: [] for service in self.services if owner == OWNER}


@dataclass
class Owner:
    """`told` are the services that it heard of. It answers when it may."""

    told: list[str] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, path: str, body: dict[str, Any], *, timeout_s: float) -> SmallAnswer:
        assert path.endswith("/register")
        self.told.append(body["service"])
        self.heard.set()
        await self.may_answer.wait()
        return SmallAnswer(200, [], b"{}")


async def test_document_that_comes_while_another_is_registered_is_not_left_out() -> None:
    owner = Owner()
    calls: Any = {OWNER: owner}
    declared: Any = Declared(("bots",))
    registration = Registration(calls, lambda: declared)
    registration.changed()
    await owner.heard.wait()
    declared = Declared(("bots", "staking"))
    registration.changed()
    owner.may_answer.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert owner.told == ["bots", "bots", "staking"]
    await registration.ensure(OWNER)
    assert owner.told == ["bots", "bots", "staking"]
