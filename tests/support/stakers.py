"""The staking service in a test, behind a stand-in for the gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from gateway_stand_in import Client, GatewayStandIn
from mock_store import mock_client

from kit.clock import FixedClock
from kit.context import ValidatedReference
from kit.ids import new_id
from kit.store import StoreClient
from staking.app import create_app
from staking.settings import StakingSettings

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
POOL = {"name": "pool", "model": "fixed-apr", "aprBps": 1200}
Json = dict[str, Any]


def of_user(user_id: str, *relationships: str) -> list[ValidatedReference]:
    return [ValidatedReference(relationship, "users", user_id) for relationship in relationships]


@dataclass
class Stakers:
    """The service and its clock, with a treasurer, a user with 100 OMNI and a stranger."""

    gateway: GatewayStandIn
    clock: FixedClock
    treasury: Client
    user: Client
    stranger: Client

    @property
    def user_id(self) -> str:
        return str(self.user.caller.id)

    async def credit(self, user_id: str, amount: str) -> Json:
        path = f"/v1/balances/{user_id}/credits"
        references = of_user(user_id, "user_token_balances.userId")
        body = {"amount": amount, "reason": "deposit"}
        return done(await self.treasury.post(path, json=body, references=references))

    async def pool(self, *, budget: str | None = "1000", is_open: bool = True, **terms: Any) -> Json:
        pool = done(await self.treasury.post("/v1/staking/pools", json={**POOL, **terms}))
        path = f"/v1/staking/pools/{pool['poolId']}"
        if budget is not None:
            pool = done(await self.treasury.post(f"{path}/fund", json={"amount": budget}))
        return done(await self.treasury.post(f"{path}/open")) if is_open else pool

    async def send_stake(self, pool_id: str, amount: str, **options: Any) -> httpx.Response:
        body = {"poolId": pool_id, "amount": amount}
        references = of_user(self.user_id, "user_stakes.userId")
        return await self.user.post("/v1/staking/stakes", json=body, references=references, **options)

    async def stake(self, pool_id: str, amount: str) -> Json:
        return done(await self.send_stake(pool_id, amount))

    async def distribute(self, period: str = "2026-11-23") -> Json:
        return done(await self.treasury.post("/v1/staking/distributions", json={"period": period}))

    async def available(self) -> str:
        balance = done(await self.user.get(f"/v1/balances/{self.user_id}"))
        return str(balance["available"])


@asynccontextmanager
async def stakers(folder: Path, client: StoreClient | None = None) -> AsyncIterator[Stakers]:
    settings = StakingSettings(data_dir=folder)
    clock = FixedClock(NOON)
    app = create_app(settings, client=client or mock_client(), clock=clock)
    async with GatewayStandIn(app, "staking", settings.gateway_key_list[0]) as gateway:
        everybody = Stakers(
            gateway,
            clock,
            treasury=gateway.as_(new_id(), ("user", "treasury")),
            user=gateway.as_(new_id()),
            stranger=gateway.as_(new_id()),
        )
        await everybody.credit(everybody.user_id, "100")
        yield everybody


def done(response: httpx.Response) -> Json:
    assert response.is_success, f"{response.request.method} {response.request.url}: {response.text}"
    answer: Json = response.json()
    return answer


def refused(response: httpx.Response, status: int, code: str) -> Json:
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem: Json = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    return problem


def pointers(problem: Json) -> set[str]:
    return {error["pointer"] for error in problem["errors"]}
