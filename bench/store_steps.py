"""The store's part of a protected create alone: intents, look-up, commit, shared by 32 tasks; beside plain inserts."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from bench.parents import database
from bench.profiles import Sampling
from bench.rivals.plain_bots import PlainBot
from bench.run import Run
from bench.stage import Stage
from bench.table import Goal, Row
from bots.app import DOCUMENTS
from bots.documents.trading_bots import StoredMoney, StoredStrategy, TradingBot
from bots.domain.bot_life_cycle import BotStatus
from bots.domain.bot_modes import BotMode
from kit.clock import SystemClock
from kit.context import ValidatedReference
from kit.ids import new_id
from kit.references.attached import Attached
from kit.references.guarded import References

TASKS = 32


async def store_steps(run: Run, stage: Stage) -> Row:
    """Both in this process, on the platform's store, in turn."""
    row = Row("the same, the store's steps alone, 32 tasks", "plain insert_one", Goal(at_least=1.2))
    async with database(stage, "bots") as store:
        await store.prepare([PlainBot])
        references = References(store, DOCUMENTS, clock=SystemClock(), service="bots")
        await references.start()
        attached = _attached(stage)
        plain = store.collection(PlainBot)

        async def protected() -> None:
            await references.create(_bot(stage), attached)

        async def unprotected() -> None:
            await plain.insert(_plain_bot(stage))

        for _ in range(run.rounds):
            ours, theirs = await _rate(protected, run.seconds), await _rate(unprotected, run.seconds)
            row.take(ours / theirs)
            row.notes = f"{ours:.0f}/s against {theirs:.0f}/s in the last round"
        if row.met is False:
            sampling = Sampling.begin(os.getpid())
            await _rate(protected, run.seconds)
            row.profile = f" this process\n{sampling.report()}"
        await references.stop()
    return row


async def _rate(once: Callable[[], Awaitable[None]], seconds: float) -> float:
    until = time.perf_counter() + seconds
    done = 0

    async def work() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await once()
            done += 1

    await asyncio.gather(*(work() for _ in range(TASKS)))
    return done / seconds


def _attached(stage: Stage) -> Attached:
    return Attached(
        [
            ValidatedReference("trading_bots.userId", "users", stage.user_id),
            ValidatedReference(
                "trading_bots.exchangeAccountId",
                "exchange_accounts",
                stage.account_id,
                copied={"exchangeName": "binance"},
            ),
        ]
    )


def _bot(stage: Stage) -> TradingBot:
    now, fields = _fields(stage)
    return TradingBot(
        **fields,
        mode=BotMode.PAPER,
        status=BotStatus.CREATED,
        runs=[],
        max_drawdown_stop=None,
        notes=None,
        created_at=now,
        updated_at=now,
    )


def _plain_bot(stage: Stage) -> PlainBot:
    now, fields = _fields(stage)
    return PlainBot(**fields, mode=BotMode.PAPER, status=BotStatus.CREATED, runs=[], created_at=now, updated_at=now)


def _fields(stage: Stage) -> tuple[datetime, dict[str, object]]:
    identifier = new_id()
    return SystemClock().now(), {
        "id": identifier,
        "user_id": stage.user_id,
        "exchange_account_id": stage.account_id,
        "exchange": "binance",
        "market_pair": "BTC/USDT",
        "name": f"bot {identifier}",
        "strategy": StoredStrategy(name="grid", version="1.0.0", params="{}"),
        "initial_capital": StoredMoney(amount="1000", currency="USDT"),
        "run_count": 0,
        "tags": [],
    }
