"""What the rows stand on: a platform of its own, a trader with a bot, and contexts signed as the gateway signs them."""

import json
import secrets
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.contexts import signed_header
from demo.api import Api
from deploy.local.background import BackgroundPlatform

DATA = Path(__file__).parents[1] / "demo" / "data"


Credentials = Mapping[str, str]


@dataclass
class Stage:
    """A running platform with one of everything that a row needs."""

    platform: BackgroundPlatform
    trader: Credentials
    trader_token: str
    admin_token: str
    user_id: str
    account_id: str
    bot: dict[str, Any]

    def sign_in(self) -> None:
        """Tokens are good for a quarter of an hour, and all groups together take longer."""
        self.trader_token = token(self.platform, self.trader)
        self.admin_token = token(self.platform, administrator(self.platform))

    @property
    def gateway_url(self) -> str:
        return self.platform.gateway_url

    def service_url(self, name: str) -> str:
        return self.platform.service_urls[name]

    def port(self, name: str) -> int:
        return int(self.platform.environment[f"{name.upper()}_PORT"])

    def key(self, service: str) -> bytes:
        """The key that signs for a service: in development, the file that gateway and service share."""
        keys = (self.platform.data_folder / "secrets" / f"GATEWAY_KEYS_{service}").read_text()
        return keys.split(",")[0].strip().encode()

    def context(self, service: str, method: str, path: str) -> dict[str, str]:
        """The header by which a service takes a request for the gateway's; good for one path and half a minute."""
        return signed_header(service, method, path, user_id=self.user_id, key=self.key(service))

    def pids(self, *names: str) -> dict[str, int]:
        """The platform's processes, as its supervisor knows them."""
        state = self.platform.state
        return {} if state is None else {name: state.pids[name] for name in names}

    @property
    def store_url(self) -> str:
        """Where the platform keeps its databases."""
        given = self.platform.environment.get("MONGODB_URL")
        return given or f"mongodb://127.0.0.1:{self.platform.environment['STORE_PORT']}/"

    @property
    def bot_path(self) -> str:
        return f"/v1/bots/{self.bot['botId']}"

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.trader_token}"}


class AsAdmin(httpx.Auth):
    """Signs in again when the token is no longer good."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._stage.admin_token}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._stage.sign_in()
            request.headers["Authorization"] = f"Bearer {self._stage.admin_token}"
            yield request


def bot_request(account_id: str, **more: Any) -> dict[str, Any]:
    """A body that creates a paper bot on an account."""
    return {
        "exchangeAccountId": account_id,
        "marketPair": "BTC/USDT",
        "name": "bot @",
        "strategy": {"name": "grid", "version": "1.0.0", "params": {"levels": 5}},
        "mode": "paper",
        "initialCapital": {"amount": "1000", "currency": "USDT"},
        **more,
    }


@contextmanager
def stage(folder: Path, **settings: str) -> Iterator[Stage]:
    """Start a platform, make a trader and a bot, and stop it all at the end."""
    platform = BackgroundPlatform.plan(folder, LOG_LEVEL="warning", **settings)
    platform.start()
    try:
        admin_token = token(platform, administrator(platform))
        markets = json.loads((DATA / "markets-binance.json").read_text())
        Api(platform.gateway_url, admin_token).post("/v1/market-pairs/import", markets)
        credentials = {
            "email": f"bench-{secrets.token_hex(6)}@omnitrade.example",
            "password": secrets.token_urlsafe(16),
        }
        user = Api(platform.gateway_url).post("/v1/users", {**credentials, "displayName": "Bench"})
        trader_token = token(platform, credentials)
        trader = Api(platform.gateway_url, trader_token)
        account_id = trader.post("/v1/exchange-accounts", account_request())["accountId"]
        bot = trader.post("/v1/bots", {**bot_request(account_id), "name": "bench"})
        yield Stage(platform, credentials, trader_token, admin_token, user["userId"], account_id, bot)
    finally:
        platform.stop()


def administrator(platform: BackgroundPlatform) -> Credentials:
    email, password = platform.admin
    return {"email": email, "password": password}


def token(platform: BackgroundPlatform, credentials: Credentials) -> str:
    signed_in: str = Api(platform.gateway_url).post("/v1/auth/token", dict(credentials))["accessToken"]
    return signed_in


def account_request() -> dict[str, str]:
    """A body that links an exchange account with a key of its own."""
    return {
        "exchangeName": "binance",
        "apiKey": secrets.token_hex(16),
        "apiSecret": secrets.token_hex(16),
        "accountNickname": "bench",
    }
