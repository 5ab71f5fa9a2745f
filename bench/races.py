"""Creates of bots that race deletes of their users and accounts, through public APIs, and what dangles afterwards: by a
full anti-join, on the platform and on one that looks after references in the usual way."""

import asyncio
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import aiohttp

from bench import parents
from bench.anti_join import Entities, all_rows, anti_join
from bench.rivals.plain_platform import PlainAccount, PlainUser
from bench.run import Run
from bench.servers import Server, free_port, serving
from bench.stage import Stage, bot_request
from bench.table import Goal, Row
from deploy.openapi import openapi_documents
from kit.ids import new_id
from kit.store import Store, StoreClient
from kit.store.administration import drop_databases

CREATES = 10_000
CREATES_PER_PARENT = 40
CREATES_AFTER = 10  # of these, when the delete was answered
CREATES_AMID = CREATES_PER_PARENT - CREATES_AFTER
SPREAD_S = 0.25
HEAD_START_STEP_S = 0.1
HEAD_START_MAX_S = 2.0  # less than a server keeps an idle connection
AT_ONCE = 4  # parents whose creates and deletes are under way
CONNECTIONS = 8  # for each of these
ANSWER_S = 60.0
PATIENCE_S = 60.0
POLL_S = 0.1
USUAL_PREFIX = "bench_usual"
Parent = tuple[str, str]  # userId, accountId


@dataclass
class Raced:
    """What clients were told, and what was found afterwards. `created` has each acknowledged bot's parent."""

    creates: Counter[str] = field(default_factory=Counter)
    deletes: Counter[str] = field(default_factory=Counter)
    created: dict[str, Parent] = field(default_factory=dict)
    later: list[str] = field(default_factory=list)
    children: int = 0
    dangling: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.creates.total()} creates ({_counted(self.creates)}) against {self.deletes.total()} deletes "
            f"({_counted(self.deletes)}): of {self.children} references {len(self.dangling)} dangle, "
            f"{len(self.lost)} acknowledged bots are lost, {len(self.unfinished)} writes are unfinished"
        )


@dataclass
class HeadStart:
    """How long before the first create an account's delete is sent; below zero, how long after it. Which of them wins
    is a matter of the machine: whoever won has less of it the next time, so that both outcomes occur on any machine."""

    seconds: float = HEAD_START_STEP_S / 2

    def learn(self, told: str) -> None:
        """What such a delete was told; an answer that decides nothing teaches nothing."""
        if told == "204":
            self.seconds = max(self.seconds - HEAD_START_STEP_S, -HEAD_START_MAX_S)
        elif told.startswith("409"):
            self.seconds = min(self.seconds + HEAD_START_STEP_S, HEAD_START_MAX_S)


@dataclass(frozen=True)
class Arena:
    """Where a race is run: the same calls on either platform. `make` writes so many users, each with an account, into
    the users' database; `users` and `bots` are collections, `entities` says by service what refers to what."""

    gateway_urls: Sequence[str]
    headers: Mapping[str, str]
    store_url: str
    prefix: str
    make: Callable[[Store, int], Awaitable[list[Parent]]]
    entities: Mapping[str, Entities]
    users: str = "users"
    bots: str = "trading_bots"


async def race(arena: Arena, creates: int = CREATES, *, seed: int = 1, patience_s: float = PATIENCE_S) -> Raced:
    """Each parent gets CREATES_PER_PARENT creates, most of them in the course of SPREAD_S, and amid these one delete:
    of the user, whose bots go with it, or of the exchange account, which is kept once a bot has it."""
    randomness = random.Random(seed)
    async with _databases(arena) as databases:
        made = await arena.make(databases["users"], max(1, creates // CREATES_PER_PARENT))
    waiting = list(enumerate(made))
    raced, head_start = Raced(), HeadStart()
    urls = cycle(arena.gateway_urls)

    async def worker() -> None:
        limit = aiohttp.TCPConnector(limit=CONNECTIONS)
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        async with aiohttp.ClientSession(connector=limit, headers=arena.headers, timeout=timeout) as http:
            while waiting:
                number, parent = waiting.pop()
                is_user = number % 2 == 0
                path = f"/v1/users/{parent[0]}" if is_user else f"/v1/exchange-accounts/{parent[1]}"
                # An account's delete races the first bots only: after them it is refused.
                ahead = -randomness.random() * SPREAD_S * 0.6 if is_user else head_start.seconds
                first_s = max(0.0, ahead)
                moments = [first_s + randomness.random() * SPREAD_S for _ in range(CREATES_AMID)]
                sent = [_later(moment, _create(http, next(urls), parent, raced)) for moment in moments]
                told, *_ = await asyncio.gather(_later(first_s - ahead, _delete(http, next(urls), path, raced)), *sent)
                if not is_user:
                    head_start.learn(told)
                # A gateway may still hold its owner's word that the parent is there.
                await asyncio.gather(*(_create(http, next(urls), parent, raced) for _ in range(CREATES_AFTER)))

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    await _finished(arena, raced.later, patience_s)
    await _count(arena, raced)
    return raced


async def _later(seconds: float, call: Awaitable[str]) -> str:
    await asyncio.sleep(seconds)
    return await call


async def _create(http: aiohttp.ClientSession, url: str, parent: Parent, raced: Raced) -> str:
    user_id, account_id = parent
    body = bot_request(account_id, userId=user_id, name=f"bot {secrets.token_hex(8)}")
    async with http.post(f"{url}/v1/bots", json=body) as answer:
        said = await answer.json()
    told = _outcome(answer.status, said)
    raced.creates[told] += 1
    if answer.status == 201:
        raced.created[said["botId"]] = parent
    return told


async def _delete(http: aiohttp.ClientSession, url: str, path: str, raced: Raced) -> str:
    async with http.delete(url + path) as answer:
        said = await answer.json() if answer.status >= 400 else {}
    told = _outcome(answer.status, said)
    raced.deletes[told] += 1
    if answer.status == 202:
        raced.later.append(url + answer.headers["Location"])
    return told


def _outcome(status: int, said: Any) -> str:
    return f"{status} {said['code']}" if isinstance(said, dict) and "code" in said else str(status)


def _counted(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} × {outcome}" for outcome, count in sorted(outcomes.items()))


async def _finished(arena: Arena, later: Sequence[str], patience_s: float) -> None:
    """Waits for the deletes that were answered 202; one that has not ended by then is found unfinished."""
    give_up_at = time.monotonic() + patience_s
    async with aiohttp.ClientSession(headers=arena.headers) as http:
        for url in later:
            while time.monotonic() < give_up_at:
                async with http.get(url) as answer:
                    if answer.status == 404 or (await answer.json()).get("finishedAt"):
                        break
                await asyncio.sleep(POLL_S)


async def _count(arena: Arena, raced: Raced) -> None:
    async with _databases(arena) as databases:
        found = await anti_join(databases, arena.entities)
        raced.children, raced.dangling = found.children, found.dangling
        raced.unfinished = [*found.intents, *found.undecided]
        users = {row["_id"] for row in await all_rows(databases["users"], arena.users)}
        bots = {row["_id"] for row in await all_rows(databases["bots"], arena.bots)}
    raced.lost = [bot_id for bot_id, (user_id, _) in raced.created.items() if bot_id not in bots and user_id in users]


@asynccontextmanager
async def _databases(arena: Arena) -> AsyncIterator[dict[str, Store]]:
    client = await StoreClient.connect(arena.store_url)
    try:
        yield {service: client.database(f"{arena.prefix}_{service}") for service in arena.entities}
    finally:
        await client.close()


async def _plain_parents(users: Store, count: int) -> list[Parent]:
    made = [(new_id(), new_id()) for _ in range(count)]
    accounts = [{"_id": account_id, "userId": user_id} for user_id, account_id in made]
    await users.rows(PlainUser.collection_name()).insert_many([{"_id": user_id} for user_id, _ in made])
    await users.rows(PlainAccount.collection_name()).insert_many(accounts)
    return made


def platform_arena(gateway_urls: Sequence[str], admin_token: str, store_url: str, prefix: str) -> Arena:
    """Ours. An admin may create for every user."""
    entities = {service: document["x-entities"] for service, document in openapi_documents().items()}
    headers = {"Authorization": f"Bearer {admin_token}"}
    return Arena(gateway_urls, headers, store_url, prefix, parents.make_in, entities)


def _refers(relationship: str, parent: str) -> dict[str, str]:
    return {"relationship": relationship, "parent": parent}


@contextmanager
def usual_platform(store_url: str) -> Iterator[Arena]:
    """The control, as three processes; its databases are dropped afterwards."""
    prefix = f"{USUAL_PREFIX}_{secrets.token_hex(4)}"
    with ExitStack() as stack:
        stack.callback(lambda: asyncio.run(drop_databases(store_url, prefix)))

        def role(name: str, **environment: str) -> Server:
            port = free_port()
            command = [sys.executable, "-m", "bench.rivals.plain_platform", name, str(port)]
            common = {"MONGODB_URL": store_url, "DATABASE_PREFIX": prefix}
            url = f"http://127.0.0.1:{port}"
            return stack.enter_context(
                serving(command, url, ready="/health/live", environment={**common, **environment})
            )

        users, bots = role("users"), role("bots")
        gateway = role("gateway", BENCH_USERS_URL=users.url, BENCH_BOTS_URL=bots.url)
        entities: dict[str, Entities] = {
            "users": {
                "plain_users": {},
                "plain_accounts": {"references": [_refers("plain_accounts.userId", "plain_users")]},
            },
            "bots": {
                "plain_bots": {
                    "references": [
                        _refers("plain_bots.userId", "plain_users"),
                        _refers("plain_bots.exchangeAccountId", "plain_accounts"),
                    ]
                }
            },
        }
        yield Arena(
            [gateway.url], {}, store_url, prefix, _plain_parents, entities, users="plain_users", bots="plain_bots"
        )


def race_rows(run: Run, stage: Stage, creates: int = CREATES) -> list[Row]:
    """How many references dangle afterwards."""
    del run
    row = Row(
        f"dangling references after {creates:,} creates racing deletes",
        "the usual way",
        Goal(at_most=0, unit="dangling"),
    )
    ours_arena = platform_arena([stage.gateway_url], stage.admin_token, stage.store_url, parents.PREFIX)
    ours = asyncio.run(race(ours_arena, creates))
    with usual_platform(stage.store_url) as arena:
        usual = asyncio.run(race(arena, creates))
    row.take(len(ours.dangling))
    row.notes = f"ours: {ours}. The usual way: {usual}"
    return [row]
