"""A client that goes on creating documents whatever happens to the platform, and keeps the ids of every 2xx."""

import secrets
import threading
from dataclasses import dataclass, field

import httpx
from api import Api, sign_in, sign_up
from scenes import bot_request, exchange_account, import_markets

PAUSE_AFTER_FAILURE_S = 0.1
CLIENTS = 4


@dataclass
class Load:
    """Clients that create bots, each with three references. `kept` holds the ids of acknowledged ones."""

    base_url: str
    owner: Api
    account_id: str
    kept: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @classmethod
    def on(cls, base_url: str, admin: tuple[str, str]) -> "Load":
        """With a trader of its own; the markets are imported first."""
        import_markets(sign_in(base_url, *admin), "binance")
        owner = sign_up(base_url, "loader")
        return cls(base_url, owner, exchange_account(owner)["accountId"])

    def start(self) -> None:
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def __enter__(self) -> "Load":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        with httpx.Client(timeout=30) as http:
            client = Api(self.base_url, self.owner.token, http=http)
            while not self._stopping.is_set():
                body = bot_request(self.account_id, name=f"load {secrets.token_hex(8)}")
                try:
                    answer = client.post("/v1/bots", body)
                except httpx.HTTPError:
                    self._stopping.wait(PAUSE_AFTER_FAILURE_S)
                    continue
                if answer.is_success:
                    self.kept.append(answer.json()["botId"])
                    continue
                self.refused.append(f"{answer.status_code} {answer.text[:300]}")
                self._stopping.wait(PAUSE_AFTER_FAILURE_S)

    def missing(self) -> set[str]:
        """Acknowledged ids that the platform doesn't list any more."""
        stored = {bot["botId"] for bot in self.owner.items("/v1/bots", limit=200)}
        return set(self.kept) - stored
