"""Who and what lives in the world: users with accounts, bots, balances and stakes, made over the public API."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from simulation.clients import Client, Reply
from simulation.sources import BEGIN

if TYPE_CHECKING:
    from simulation.world import World

EXCHANGE = "binance"
PAIR = "BTC/USDT"
PASSWORD = "correct horse battery 9"
TRIES_MAX = 20


def add_pair(world: "World") -> None:
    """A market pair, as an import leaves it."""
    bounds: dict[str, Any] = {"amount": {}, "price": {}, "cost": {}, "leverage": {}}
    world.rows("bots", "market_pairs").insert_one(
        {
            "_id": f"{EXCHANGE}:BTC-USDT",
            "exchange": EXCHANGE,
            "symbol": PAIR,
            "base": "BTC",
            "quote": "USDT",
            "type": "spot",
            "precision": {"amount": "0.00001", "price": "0.01"},
            "significantDigits": {},
            "limits": bounds,
            "state": "active",
            "version": 1,
            "createdAt": BEGIN,
            "updatedAt": BEGIN,
        }
    )


@dataclass
class Resident:
    """A user with a client of their own, and the ids of what was made for them."""

    world: "World"
    id: str
    client: Client
    accounts: list[str] = field(default_factory=list)
    bots: list[str] = field(default_factory=list)
    count: int = 0

    def next_name(self, what: str) -> str:
        self.count += 1
        return f"{what} {self.count} of {self.client.name}"

    async def link(self) -> Reply:
        secret = self.next_name("key").replace(" ", "-")
        given = {"exchangeName": EXCHANGE, "apiKey": f"{secret}-0123456789", "apiSecret": f"{secret}-9876543210"}
        reply = await self.client.post("/v1/exchange-accounts", given)
        if reply.status == 201:
            self.accounts.append(reply.body["accountId"])
        return reply

    async def create_bot(self, account: str, *, by: Client | None = None, user_id: str | None = None) -> Reply:
        given: dict[str, Any] = {
            "exchangeAccountId": account,
            "marketPair": PAIR,
            "name": self.next_name("bot"),
            "strategy": {"name": "grid", "version": "1"},
            "mode": "paper",
            "initialCapital": {"amount": "1000", "currency": "USDT"},
        }
        if by is not None or user_id is not None:
            given["userId"] = user_id or self.id
        reply = await (by or self.client).post("/v1/bots", given)
        if reply.status == 201:
            self.bots.append(reply.body["botId"])
        return reply

    async def act(self, bot: str, action: str) -> Reply:
        return await self.client.post(f"/v1/bots/{bot}/{action}")

    async def repoint(self, bot: str, account: str) -> Reply:
        return await self.client.patch(f"/v1/bots/{bot}", {"exchangeAccountId": account})

    async def deliver_sample(self, bot: str) -> Reply:
        target = f"/v1/bots/{bot}/performance/samples"
        return await self.client.post(target, {"samples": [self._sample()]}, key=False)

    async def deliver_samples_of(self, bots: list[str]) -> Reply:
        """Of many bots at once."""
        given = [{"botId": bot, "samples": [self._sample()]} for bot in bots]
        return await self.client.post("/v1/performance/samples", {"bots": given}, key=False)

    def _sample(self) -> dict[str, Any]:
        at = BEGIN + timedelta(seconds=self.world.loop.now - 60)
        return {
            "ts": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "equity": "1000",
            "realizedPnl": "0",
            "unrealizedPnl": "0",
            "fees": "0",
            "volume": "0",
            "cashFlow": "0",
            "seq": self.count,
        }

    async def credit(self, amount: str = "100") -> Reply:
        return await self.world.admin.post(
            f"/v1/balances/{self.id}/credits", {"amount": amount, "reason": self.next_name("credit")}
        )

    async def stake(self, pool: str, amount: str = "10") -> Reply:
        return await self.client.post("/v1/staking/stakes", {"poolId": pool, "amount": amount})

    async def reward(self, bot: str, amount: str = "1") -> Reply:
        given = {"userId": self.id, "sourceType": "bot", "sourceId": bot, "amount": amount}
        return await self.world.admin.post("/v1/rewards", given)


async def settle(world: "World", name: str, *, accounts: int = 0, bots: int = 0) -> Resident:
    """A new user, in whatever weather it is: it is tried until it is there."""
    for _ in range(TRIES_MAX):
        reply = await world.client(name="guest").post(
            "/v1/users", {"email": f"{name}@example.com", "password": PASSWORD, "displayName": name}
        )
        if reply.status == 201:
            break
    assert reply.status == 201, reply
    resident = Resident(world, reply.body["userId"], world.client(reply.body["userId"], name=name))
    for _ in range(accounts):
        assert (await resident.link()).status == 201
    for place in range(bots):
        assert (await resident.create_bot(resident.accounts[place % accounts])).status == 201
    return resident


async def open_pool(world: "World", name: str = "pool", *, is_open: bool = True) -> str:
    terms = {"name": name, "model": "fixed-apr", "aprBps": 1200, "lockDays": 0, "minStake": "1"}
    for _ in range(TRIES_MAX):
        reply = await world.admin.post("/v1/staking/pools", terms)
        if reply.status == 201:
            break
    assert reply.status == 201, reply
    pool: str = reply.body["poolId"]
    if is_open:
        assert (await world.admin.post(f"/v1/staking/pools/{pool}/fund", {"amount": "1000"})).is_ok
        assert (await world.admin.post(f"/v1/staking/pools/{pool}/open")).is_ok
    return pool


async def barred(world: "World") -> list[str]:
    """The accounts for which nothing can be made any more, though they and their users are there."""
    found = []
    active = {row["_id"] for row in world.rows("users", "users").find({"status": "active"})}
    accounts = list(world.rows("users", "exchange_accounts").find({}))
    for place, account in enumerate(accounts):
        if account["userId"] not in active:
            continue
        resident = Resident(world, account["userId"], world.client(account["userId"], name=f"probe{place}"))
        reply = await resident.create_bot(account["_id"])
        if reply.status != 201:
            found.append(f"stuck: no bot can be made for account {account['_id']}: {reply.status} {reply.code}")
    return found
