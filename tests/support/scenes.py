"""What a behaviour test needs to be there before it begins, made through the public API alone."""

import json
import secrets
from pathlib import Path
from typing import Any

from api import Api, done

SAMPLE: dict[str, Any] = {
    "ts": "2026-01-01T00:00:00Z",
    "equity": "1000",
    "realizedPnl": "0",
    "unrealizedPnl": "0",
    "fees": "0",
    "volume": "0",
    "cashFlow": "0",
    "seq": 1,
}
DATA = Path(__file__).parents[2] / "demo" / "data"


def import_markets(admin: Api, exchange: str) -> dict[str, Any]:
    """Import an exchange's real markets."""
    body = json.loads((DATA / f"markets-{exchange}.json").read_text())
    return admin.made("/v1/market-pairs/import", body)


def exchange_account(owner: Api, exchange: str = "binance", **more: Any) -> dict[str, Any]:
    """Link an exchange account with credentials of its own."""
    body = {
        "exchangeName": exchange,
        "apiKey": secrets.token_hex(16),
        "apiSecret": secrets.token_hex(24),
        "accountNickname": "main",
    }
    return owner.made("/v1/exchange-accounts", {**body, **more})


def bot_request(account_id: str, **more: Any) -> dict[str, Any]:
    """The body that creates a paper bot."""
    body = {
        "exchangeAccountId": account_id,
        "marketPair": "BTC/USDT",
        "name": f"bot {secrets.token_hex(4)}",
        "strategy": {"name": "grid", "version": "1.0.0", "params": {"levels": 5}},
        "mode": "paper",
        "initialCapital": {"amount": "1000", "currency": "USDT"},
    }
    return {**body, **more}


def bot(owner: Api, account_id: str | None = None, **more: Any) -> dict[str, Any]:
    """Create a paper bot, with an account of its own unless one is given."""
    account_id = account_id or exchange_account(owner)["accountId"]
    return owner.made("/v1/bots", bot_request(account_id, **more))


def open_pool(admin: Api, **more: Any) -> dict[str, Any]:
    """Create, fund and open a pool without a lock at 12 percent a year."""
    body = {
        "name": f"pool {secrets.token_hex(4)}",
        "model": "fixed-apr",
        "aprBps": 1200,
        "lockDays": 0,
        "minStake": "1",
        "earlyExitPenaltyBps": 500,
    }
    pool = admin.made("/v1/staking/pools", {**body, **more})
    admin.made(f"/v1/staking/pools/{pool['poolId']}/fund", {"amount": "1000"})
    return admin.made(f"/v1/staking/pools/{pool['poolId']}/open")


def credit(admin: Api, user_id: str, amount: str) -> dict[str, Any]:
    """Credit OMNI to a user's balance."""
    return admin.made(f"/v1/balances/{user_id}/credits", {"amount": amount, "reason": "deposit"})


def balance(api: Api, user_id: str) -> dict[str, Any]:
    """A user's balance."""
    return done(api.get(f"/v1/balances/{user_id}"))
