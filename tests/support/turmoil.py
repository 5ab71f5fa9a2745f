"""Clients that create and delete against each other through every gateway, whatever happens to it, and remember
what they were told."""

import asyncio
import random
import secrets
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from scenes import bot_request

AT_ONCE = 6
CREATES = 6
ANSWER_S = 30.0
PAUSE_S = 0.7
STOP_S = 60.0
LOST = "lost"  # the connection broke: it may have happened, or happen yet
NOT_SENT = "not sent"  # no gateway listens
# What a client may be told while processes die: refused for good, or that it isn't known or can't be said now.
REFUSED = {"409 delete-restricted", "409 reference-closed", "422 reference-not-found", "404 not-found"}
UNCERTAIN = {
    LOST,
    "409 illegal-transition",
    "412 version-mismatch",
    "503 reference-unverifiable",
    "503 unavailable",
    "504 deadline-exceeded",
}


@dataclass
class Family:
    """A user with an exchange account, and what was acknowledged for them. `user_deletes` and the like hold what each
    DELETE was answered."""

    user_id: str
    account_id: str
    bots: list[str] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)  # acknowledged writes that keep the user for good
    user_deletes: list[str] = field(default_factory=list)
    account_deletes: list[str] = field(default_factory=list)
    bot_deletes: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Turmoil:
    """Families are used up one after the other; `told` counts every answer by what was asked."""

    urls: Sequence[str]
    token: str
    families: list[Family]
    seed: int = 1
    used: list[Family] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Turmoil":
        self._stopping.clear()
        self._random = random.Random(self.seed)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        assert self._thread is not None
        self._thread.join(STOP_S)
        assert not self._thread.is_alive(), "clients wait for an answer without end"

    def count(self, prefix: str) -> int:
        return sum(count for what, count in self.told.copy().items() if what.startswith(prefix))

    def __str__(self) -> str:
        return f"{len(self.used)} families; " + ", ".join(
            f"{count} × {what}" for what, count in sorted(self.told.items())
        )

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        headers = {"Authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
            http._retry_connection = False  # unasked it would send a DELETE again whose answer was lost
            await asyncio.gather(*(self._worker(http) for _ in range(AT_ONCE)))

    async def _worker(self, http: aiohttp.ClientSession) -> None:
        scenes = (self._user_amid_creates, self._account_amid_creates, self._overtaken, self._bound, self._bot)
        while self.families and not self._stopping.is_set():
            family = self.families.pop()
            self.used.append(family)
            client = Client(self, http, family)
            await scenes[len(self.used) % len(scenes)](client)
            if client.is_in_vain:
                await asyncio.sleep(PAUSE_S)

    def gateways(self) -> list[str]:
        """Any of them first; the next one is for when it does not listen."""
        return self._random.sample(self.urls, len(self.urls))

    async def _all(self, *calls: Awaitable[Any]) -> None:
        """In any order."""
        shuffled = list(calls)
        self._random.shuffle(shuffled)
        await asyncio.gather(*shuffled)

    async def _user_amid_creates(self, client: "Client") -> None:
        """A cascade."""
        await client.create()
        await self._all(client.delete_user(), *(client.create() for _ in range(CREATES)))

    async def _account_amid_creates(self, client: "Client") -> None:
        """Refused as soon as one bot is there."""
        await self._all(client.delete_account(), *(client.create() for _ in range(CREATES)))

    async def _overtaken(self, client: "Client") -> None:
        """Both deletes through any gateway, and the user's twice."""
        creates = [client.create() for _ in range(CREATES)]
        await self._all(client.delete_account(), client.delete_user(), client.delete_user(), *creates)

    async def _bound(self, client: "Client") -> None:
        """Writes that keep the user, if they come first."""
        await client.create()
        starts = [client.start(bot_id) for bot_id in client.family.bots]
        await self._all(client.delete_user(), client.credit(), *starts, *(client.create() for _ in range(2)))

    async def _bot(self, client: "Client") -> None:
        """A bot with parts."""
        await client.create()
        for bot_id in list(client.family.bots):
            await self._all(client.delete_bot(bot_id), client.reward(bot_id))
        await self._all(client.delete_user(), client.create())


@dataclass
class Client:
    """What is asked for one family."""

    turmoil: Turmoil
    http: aiohttp.ClientSession
    family: Family
    is_in_vain: bool = False  # something could not be done or said

    async def create(self) -> None:
        family = self.family
        body = bot_request(family.account_id, userId=family.user_id, name=f"bot {secrets.token_hex(8)}")
        await self._ask("create", "POST", "/v1/bots", body, lambda said: family.bots.append(said["botId"]))

    async def start(self, bot_id: str) -> None:
        keep = self.family.bound.append
        await self._ask("start", "POST", f"/v1/bots/{bot_id}/start", {"reason": "now"}, lambda _: keep("start"))

    async def credit(self) -> None:
        keep = self.family.bound.append
        path = f"/v1/balances/{self.family.user_id}/credits"
        await self._ask("credit", "POST", path, {"amount": "1", "reason": "deposit"}, lambda _: keep("credit"))

    async def reward(self, bot_id: str) -> None:
        keep = self.family.bound.append
        body = {"userId": self.family.user_id, "sourceType": "bot", "sourceId": bot_id, "amount": "5"}
        await self._ask("reward", "POST", "/v1/rewards", body, lambda _: keep(f"reward {bot_id}"))

    async def delete_user(self) -> None:
        told = await self._ask("delete user", "DELETE", f"/v1/users/{self.family.user_id}")
        self.family.user_deletes.append(told)

    async def delete_account(self) -> None:
        told = await self._ask("delete account", "DELETE", f"/v1/exchange-accounts/{self.family.account_id}")
        self.family.account_deletes.append(told)

    async def delete_bot(self, bot_id: str) -> None:
        asked = self.family.bot_deletes.setdefault(bot_id, [])
        asked.append(await self._ask("delete bot", "DELETE", f"/v1/bots/{bot_id}"))

    async def _ask(
        self, what: str, method: str, path: str, body: Any = None, keep: Callable[[Any], None] | None = None
    ) -> str:
        told = NOT_SENT
        for url in self.turmoil.gateways():
            try:
                told = await self._told(method, url + path, body, keep)
            except aiohttp.ClientConnectorError:
                continue
            except (aiohttp.ClientError, TimeoutError):
                told = LOST
            break
        self.turmoil.told[f"{what}: {told}"] += 1
        self.is_in_vain |= told in UNCERTAIN or told == NOT_SENT
        return told

    async def _told(self, method: str, url: str, body: Any, keep: Callable[[Any], None] | None) -> str:
        async with self.http.request(method, url, json=body) as answer:
            text = await answer.text()
            said = await answer.json() if text else {}
        if answer.ok:
            if keep is not None:
                keep(said)
            return str(answer.status)
        told = f"{answer.status} {said.get('code')}"
        if told not in REFUSED | UNCERTAIN:
            self.turmoil.unexpected.append(f"{method} {url}: {answer.status} {text[:300]}")
        return told


def broken_promises(families: Iterable[Family], users: set[str], accounts: set[str], bots: set[str]) -> list[str]:
    """What is stored now, at rest, against what clients were told."""
    found: list[str] = []
    for family in families:
        there = family.user_id in users
        found += _judged(f"user {family.user_id}", there, family.user_deletes)
        if family.bound and not there:
            found.append(f"user {family.user_id} is gone with {family.bound}")
        if there:
            found += _judged(f"account {family.account_id}", family.account_id in accounts, family.account_deletes)
            for bot_id in family.bots:
                found += _judged(f"bot {bot_id}", bot_id in bots, family.bot_deletes.get(bot_id, []))
    return found


def _judged(name: str, there: bool, deletes: Sequence[str]) -> list[str]:
    """There unless a delete may have removed it; gone if one said so."""
    if there and "204" in deletes:
        return [f"{name} is there although its delete said 204"]
    if not there and all(told in REFUSED or told == NOT_SENT for told in deletes):
        return [f"{name} is gone although nothing but {deletes or 'no delete'} was said"]
    return []
