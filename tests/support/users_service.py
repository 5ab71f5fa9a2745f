"""The users service in a test, behind a stand-in for the gateway."""

import secrets
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
from kit.runtime import Runtime
from kit.store import StoreClient
from users.app import create_app
from users.settings import UsersSettings

UNKNOWN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
ADMIN_EMAIL = "root@omnitrade.example"
ADMIN_PASSWORD = "a password for tests"


@dataclass
class Person:
    """Somebody who signed up, with their client."""

    user: dict[str, Any]
    email: str
    password: str
    client: Client

    @property
    def id(self) -> str:
        identifier: str = self.user["userId"]
        return identifier


@dataclass
class UsersService:
    """The service, its clock and its first admin."""

    gateway: GatewayStandIn
    clock: FixedClock
    settings: UsersSettings
    admin: Person

    @property
    def runtime(self) -> Runtime:
        runtime: Runtime = self.gateway.app.state.runtime
        return runtime

    @property
    def anonymous(self) -> Client:
        return self.gateway.anonymous()

    async def sign_up(self, *roles: str, **fields: Any) -> Person:
        """A new user; with roles, given by the admin."""
        body = {
            "email": f"{secrets.token_hex(6)}@example.com",
            "password": secrets.token_urlsafe(12),
            "displayName": "Ann",
        }
        body.update(fields)
        user = (await self.anonymous.post("/v1/users", json=body)).raise_for_status().json()
        if roles:
            path = f"/v1/users/{user['userId']}"
            user = (await self.admin.client.patch(path, json={"roles": list(roles)})).raise_for_status().json()
        client = self.gateway.as_(user["userId"], roles or ("user",))
        return Person(user, body["email"], body["password"], client)

    async def sign_in(self, person: Person) -> dict[str, Any]:
        answer = await self.anonymous.post("/v1/auth/token", json={"email": person.email, "password": person.password})
        tokens: dict[str, Any] = answer.raise_for_status().json()
        return tokens

    async def link(self, owner: Person, *, client: Client | None = None, **fields: Any) -> httpx.Response:
        """Link an exchange account with credentials of its own, as the gateway would let it through."""
        options = {name: fields.pop(name) for name in ("idempotency_key",) if name in fields}
        return await (client or owner.client).post(
            "/v1/exchange-accounts",
            json={**credentials(), "exchangeName": "binance", "accountNickname": "main", **fields},
            references=[owner_reference(owner.id)],
            **options,
        )

    async def linked(self, owner: Person, **fields: Any) -> dict[str, Any]:
        account: dict[str, Any] = (await self.link(owner, **fields)).raise_for_status().json()
        return account


def credentials() -> dict[str, Any]:
    return {"apiKey": secrets.token_hex(16), "apiSecret": secrets.token_hex(24)}


def owner_reference(user_id: str) -> ValidatedReference:
    return ValidatedReference(relationship="exchange_accounts.userId", parent="users", id=user_id)


def users_settings(data_dir: Path, **changes: Any) -> UsersSettings:
    given = {
        "admin_email": ADMIN_EMAIL,
        "admin_password": ADMIN_PASSWORD,
        "argon2_memory_kib": 7168,
        "argon2_iterations": 5,
    }
    return UsersSettings(data_dir=data_dir, **{**given, **changes})


@asynccontextmanager
async def users_service(
    data_dir: Path, *, client: StoreClient | None = None, **settings: Any
) -> AsyncIterator[UsersService]:
    """The service while it runs, on a store in memory unless one is given."""
    made = users_settings(data_dir, **settings)
    clock = FixedClock(datetime.now(UTC))
    app = create_app(made, client=client or mock_client(), clock=clock)
    async with GatewayStandIn(app, "users", made.gateway_key_list[0]) as gateway:
        first = await gateway.as_(UNKNOWN_ID, ["admin"]).get("/v1/users?role=admin")
        user = first.raise_for_status().json()["items"][0]
        client_of_admin = gateway.as_(user["userId"], ["user", "admin"])
        admin = Person(user, ADMIN_EMAIL, ADMIN_PASSWORD, client_of_admin)
        yield UsersService(gateway, clock, made, admin)
