"""The staking service in a test, behind a stand-in for the gateway."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from gateway_stand_in import Client, GatewayStandIn
from mock_store import mock_client

from kit.clock import Clock
from kit.context import ValidatedReference
from kit.ids import new_id
from kit.runtime import Runtime
from kit.store import StoreClient
from staking.app import create_app
from staking.operations.ledger.ledger import Ledger
from staking.settings import StakingSettings


def user_reference(
    user_id: str, relationship: str = "user_token_balances.userId", epoch: int = 0
) -> ValidatedReference:
    return ValidatedReference(relationship, "users", user_id, epoch)


@dataclass
class StakingService:
    gateway: GatewayStandIn

    @property
    def runtime(self) -> Runtime:
        runtime: Runtime = self.gateway.app.state.runtime
        return runtime

    @property
    def ledger(self) -> Ledger:
        ledger: Ledger = self.gateway.app.state.ledger
        return ledger

    @property
    def treasury(self) -> Client:
        return self.gateway.as_(new_id(), ("user", "treasury"))

    def user(self, user_id: str) -> Client:
        return self.gateway.as_(user_id)

    async def credit(self, user_id: str, amount: object, **options: Any) -> httpx.Response:
        body = {"amount": amount, "reason": "deposit"}
        path = f"/v1/balances/{user_id}/credits"
        return await self.treasury.post(path, json=body, references=[user_reference(user_id)], **options)

    async def debit(self, user_id: str, amount: object, **options: Any) -> httpx.Response:
        body = {"amount": amount, "reason": "withdrawal"}
        return await self.treasury.post(f"/v1/balances/{user_id}/debits", json=body, **options)


@asynccontextmanager
async def staking_service(
    folder: Path, *, client: StoreClient | None = None, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[StakingService]:
    key = secrets.token_urlsafe(32)
    chosen = StakingSettings(
        gateway_keys=key,
        cursor_key=secrets.token_urlsafe(32),
        data_dir=folder,
        **{"distribution_interval_s": 3600, "finishing_interval_s": 3600, **settings},
    )
    app = create_app(chosen, client=client or mock_client(), clock=clock)
    async with GatewayStandIn(app, "staking", key.encode()) as gateway:
        yield StakingService(gateway)
