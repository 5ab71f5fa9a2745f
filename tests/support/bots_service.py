"""The bots service in a test, behind a stand-in for the gateway."""

import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from gateway_stand_in import Client, GatewayStandIn
from mock_store import mock_client

from bots.app import create_app
from bots.settings import BotsSettings
from kit.clock import FixedClock
from kit.context import ValidatedReference
from kit.ids import new_id
from kit.runtime import Runtime
from kit.store import StoreClient

DATA = Path(__file__).parents[2] / "demo" / "data"
UNKNOWN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
JSON = dict[str, Any]


@dataclass
class Trader:
    """Somebody with an exchange account."""

    id: str
    account_id: str
    client: Client
    exchange: str = "binance"


@dataclass
class BotsService:
    """The service, its clock, and what its gateway would have validated."""

    gateway: GatewayStandIn
    clock: FixedClock
    settings: BotsSettings

    @property
    def runtime(self) -> Runtime:
        runtime: Runtime = self.gateway.app.state.runtime
        return runtime

    @property
    def admin(self) -> Client:
        return self.gateway.as_(UNKNOWN_ID, ["user", "admin"])

    @property
    def engine(self) -> Client:
        return self.gateway.as_(UNKNOWN_ID, ["engine"])

    def trader(self, *, exchange: str = "binance") -> Trader:
        user_id = new_id()
        return Trader(user_id, new_id(), self.gateway.as_(user_id), exchange)

    async def import_markets(self, exchange: str = "binance") -> JSON:
        body = json.loads((DATA / f"markets-{exchange}.json").read_text())
        return done(await self.admin.post("/v1/market-pairs/import", json=body))

    async def create(self, owner: Trader, *, client: Client | None = None, **more: Any) -> httpx.Response:
        """Create a bot, as the gateway would let it through."""
        options = {name: more.pop(name) for name in ("idempotency_key", "references") if name in more}
        options.setdefault("references", references(owner))
        return await (client or owner.client).post("/v1/bots", json=bot_request(owner, **more), **options)

    async def created(self, owner: Trader, **more: Any) -> JSON:
        return done(await self.create(owner, **more))

    async def act(self, client: Client, bot: JSON, action: str, **options: Any) -> httpx.Response:
        """An action on a bot, with what the gateway would have asked the owners for."""
        if action == "start":
            options.setdefault("references", asked_for(bot))
            options.setdefault("versions", {"document": bot["version"]})
        options.setdefault("json", {"reason": f"to {action}"})
        return await client.post(f"/v1/bots/{bot['botId']}/{action}", **options)

    async def acted(self, client: Client, bot: JSON, *actions: str) -> JSON:
        """The bot after these actions, each of which must succeed."""
        for action in actions:
            bot = done(await self.act(client, bot, action))
        return bot

    async def deliver(
        self, client: Client, bot: JSON, what: str, items: Sequence[JSON], **options: Any
    ) -> httpx.Response:
        """Samples or trades of a bot."""
        options.setdefault("references", [bot_reference(bot["botId"])])
        path = f"/v1/bots/{bot['botId']}/performance/{what}"
        return await client.post(path, json={what: list(items)}, **options)

    async def performance(self, client: Client, bot: JSON) -> JSON:
        """A bot's figures as this replica gives them to the client's caller."""
        return done(await self.here(client).get(f"/v1/bots/{bot['botId']}/performance"))

    def here(self, client: Client) -> Client:
        """The same caller at this replica."""
        return Client(self.gateway, client.caller)


def done(answer: httpx.Response) -> JSON:
    """The JSON of an answer that must be a success."""
    assert answer.is_success, f"{answer.request.url}: {answer.status_code} {answer.text}"
    body: JSON = answer.json()
    return body


def problem(answer: httpx.Response, status: int, code: str) -> JSON:
    """The problem document of an answer that must be this refusal."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    document: JSON = answer.json()
    assert document["code"] == code, document
    return document


def pointers(document: JSON) -> set[str]:
    return {error["pointer"] for error in document.get("errors", [])}


async def pages(client: Client, path: str, **parameters: Any) -> list[JSON]:
    """All items of a list, page after page."""
    items: list[JSON] = []
    cursor: str | None = None
    while True:
        page = done(await client.get(path, params={**parameters, **({"cursor": cursor} if cursor else {})}))
        items += page["items"]
        cursor = page["nextCursor"]
        if cursor is None:
            return items


def bot_request(owner: Trader, **more: Any) -> JSON:
    body = {
        "exchangeAccountId": owner.account_id,
        "marketPair": "BTC/USDT",
        "name": f"bot {secrets.token_hex(4)}",
        "strategy": {"name": "grid", "version": "1.0.0", "params": {"levels": 5}},
        "mode": "paper",
        "initialCapital": {"amount": "1000", "currency": "USDT"},
    }
    return {**body, **more}


def sample(minute: int = 0, **more: Any) -> JSON:
    """A sample of the given minute of 2026; the equity grows by 1 a minute from 1000."""
    made = {
        "ts": f"2026-01-{1 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:00Z",
        "equity": str(1000 + minute),
        "realizedPnl": "0",
        "unrealizedPnl": str(minute),
        "fees": "0",
        "volume": "0",
        "cashFlow": "0",
        "seq": 1,
    }
    return {**made, **more}


def trade(number: int = 0, **more: Any) -> JSON:
    """A trade of the given hour of 2026 that gains 9 after its fee."""
    made = {
        "tradeId": f"t{number}",
        "side": "long",
        "openedAt": f"2026-01-01T{number:02}:00:00Z",
        "closedAt": f"2026-01-01T{number:02}:30:00Z",
        "amount": "1",
        "openPrice": "100",
        "closePrice": "110",
        "fee": "1",
        "profit": "10",
    }
    return {**made, **more}


def user_reference(user_id: str) -> ValidatedReference:
    return ValidatedReference("trading_bots.userId", "users", user_id)


def account_reference(account_id: str, exchange: str = "binance") -> ValidatedReference:
    copied = {"exchangeName": exchange}
    return ValidatedReference("trading_bots.exchangeAccountId", "exchange_accounts", account_id, copied=copied)


def bot_reference(bot_id: str) -> ValidatedReference:
    return ValidatedReference("bot_performance.botId", "trading_bots", bot_id)


def references(owner: Trader) -> list[ValidatedReference]:
    return [user_reference(owner.id), account_reference(owner.account_id, owner.exchange)]


def asked_for(bot: JSON) -> list[ValidatedReference]:
    """What the gateway asks the owners before a start."""
    asked = [user_reference(bot["userId"])]
    if bot["mode"] == "live":
        asked.append(account_reference(bot["exchangeAccountId"], bot["exchange"]))
    return asked


@asynccontextmanager
async def bots_service(
    data_dir: Path, *, client: StoreClient | None = None, **settings: Any
) -> AsyncIterator[BotsService]:
    """The service while it runs, on a store in memory unless one is given."""
    made = BotsSettings(data_dir=data_dir, **settings)
    clock = FixedClock(datetime.now(UTC))
    app = create_app(made, client=client or mock_client(), clock=clock)
    async with GatewayStandIn(app, "bots", made.gateway_key_list[0]) as gateway:
        yield BotsService(gateway, clock, made)
