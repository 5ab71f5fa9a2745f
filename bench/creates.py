"""Rows on creating a bot with its three references, beside a plain insert and beside the usual way."""

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import parents
from bench.load import load, write_bodies
from bench.profiles import under
from bench.run import Run
from bench.servers import Server, free_port, serving
from bench.stage import Stage, bot_request
from bench.store_steps import store_steps
from bench.table import Goal, Row, explain, interleaved

CONNECTIONS = 32
LIVE_PATH = "/health/live"
PARENTS = 6_000
PLAIN = "direct POST to the same service: plain insert_one, no validation"
CREATE = "create a bot (three references) through the gateway, 32 connections"


@dataclass
class Post:
    """POSTs of the bodies in a file to one address."""

    run: Run
    url: str
    bodies: Path
    headers: dict[str, str]

    def rate(self, connections: int = CONNECTIONS) -> float:
        headers = {"Content-Type": "application/json", **self.headers}
        rate = load(self.url, seconds=self.run.seconds, connections=connections, headers=headers, bodies=self.bodies)
        if rate.refused > rate.answered:
            raise RuntimeError(f"{self.url} refused {rate.refused} of {rate.refused + rate.answered} creates")
        return rate.per_second

    def rate_of_one(self) -> float:
        return self.rate(connections=1)


def create_rows(run: Run, stage: Stage) -> list[Row]:
    """All of them; the service without protection and the usual gateway run beside the platform, on its store."""
    with ExitStack() as stack:
        plain_server = stack.enter_context(_plain(stage))
        usual_server = stack.enter_context(_usual(stage, plain_server.url))
        bodies = write_bodies(run.folder / "bodies", [bot_request(stage.account_id)])
        ours = Post(run, f"{stage.gateway_url}/v1/bots", bodies, stage.bearer())
        plain = Post(run, f"{plain_server.url}/plain/bots/{stage.user_id}", bodies, {})
        usual = Post(run, f"{usual_server.url}/v1/bots", bodies, {})
        many = Row(CREATE, PLAIN, Goal(at_least=0.8))
        one = Row("the same, 1 connection", PLAIN, Goal(at_least=0.4))
        asked = Row(
            "the same, 32 connections", "the usual way: GETs to the owners, then POST, over httpx", Goal(at_least=4)
        )
        _take(many, run, ours.rate, plain.rate)
        _take(one, run, ours.rate_of_one, plain.rate_of_one)
        _take(asked, run, ours.rate, usual.rate)
        fresh = _every_id_new(run, stage, plain)
        explain([many, one, fresh, asked], lambda: under(stage.pids("gateway", "bots"), ours.rate))
    steps = asyncio.run(store_steps(run, stage))
    return [many, steps, one, fresh, asked]


def _take(row: Row, run: Run, ours: Callable[[], float], theirs: Callable[[], float]) -> None:
    for our_rate, their_rate in interleaved(run.rounds, ours, theirs):
        row.take(our_rate / their_rate)
        row.notes = f"{our_rate:.0f}/s against {their_rate:.0f}/s in the last round"


def _every_id_new(run: Run, stage: Stage, plain: Post) -> Row:
    """An admin creates for users that the gateway has not heard of: no answer of an owner is at hand."""
    row = Row("the same, 32 connections, every id new to the gateway", PLAIN, Goal(at_least=0.6))
    headers = {"Authorization": f"Bearer {stage.admin_token}"}

    def ours() -> float:
        made = asyncio.run(parents.make(stage, PARENTS))
        bodies = [bot_request(account_id, userId=user_id) for user_id, account_id in made]
        path = write_bodies(run.folder / f"new-{time.monotonic_ns()}", bodies)
        return Post(run, f"{stage.gateway_url}/v1/bots", path, headers).rate()

    _take(row, run, ours, plain.rate)
    return row


def _plain(stage: Stage) -> AbstractContextManager[Server]:
    port = free_port()
    environment = {**stage.platform.environment, "MONGODB_URL": stage.store_url, "DATABASE_PREFIX": "bench_plain"}
    command = [sys.executable, "-m", "bench.rivals.plain_bots", str(port)]
    return serving(command, f"http://127.0.0.1:{port}", ready=LIVE_PATH, environment=environment)


def _usual(stage: Stage, plain_url: str) -> AbstractContextManager[Server]:
    port = free_port()
    environment = {
        "BENCH_USERS_URL": stage.service_url("users"),
        "BENCH_PLAIN_URL": plain_url,
        "BENCH_USER_ID": stage.user_id,
        "BENCH_USERS_KEY": stage.key("users").decode(),
    }
    command = [sys.executable, "-m", "bench.rivals.usual_way", str(port)]
    return serving(command, f"http://127.0.0.1:{port}", ready=LIVE_PATH, environment=environment)
