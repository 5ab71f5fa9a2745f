"""The bots service as it would be without references: one plain insert, no validation, nobody asked.

`python -m bench.rivals.plain_bots PORT`. Request and answer schemas, fields, unique index and store are the service's
own, so that what is compared is the protection alone.
"""

import os
import sys
from datetime import datetime
from typing import ClassVar

import uvicorn
from fastapi import APIRouter, Request

from bots.app import DOCUMENTS
from bots.documents.trading_bots import StoredMoney, StoredStrategy, TradingBot
from bots.domain.bot_life_cycle import BotStatus
from bots.domain.money import format_money
from bots.routes.bots import present
from bots.schemas.bots import BotCreate, BotOut
from bots.settings import load
from kit.documents import Record
from kit.ids import new_id
from kit.runtime import Runtime
from kit.service import build_service
from kit.store import index


class PlainBot(Record):
    """A bot whose ids are any text."""

    user_id: str
    exchange_account_id: str
    exchange: str
    market_pair: str
    name: str
    strategy: StoredStrategy
    mode: str
    initial_capital: StoredMoney
    status: str
    runs: list[str]
    run_count: int
    tags: list[str]
    version: int = 1
    created_at: datetime
    updated_at: datetime

    class Settings:
        name = "plain_bots"
        indexes: ClassVar = [index("userId", "name", unique=True), index("exchangeAccountId"), index("marketPair")]


router = APIRouter()


@router.post("/plain/bots/{user_id}", status_code=201, operation_id="createPlainBot")
async def create_plain_bot(user_id: str, body: BotCreate, request: Request) -> BotOut:
    """What a handler does whose author trusts the ids that it is given."""
    runtime: Runtime = request.app.state.runtime
    now = runtime.clock.now()
    strategy = StoredStrategy(name=body.strategy.name, version=body.strategy.version, params="{}")
    capital = StoredMoney(amount=format_money(body.initial_capital.amount), currency=body.initial_capital.currency)
    bot = PlainBot(
        id=new_id(),
        user_id=user_id,
        exchange_account_id=body.exchange_account_id,
        exchange="binance",
        market_pair=body.market_pair,
        name=body.name,
        strategy=strategy,
        mode=body.mode,
        initial_capital=capital,
        status=BotStatus.CREATED,
        runs=[],
        run_count=0,
        tags=body.tags,
        created_at=now,
        updated_at=now,
    )
    await runtime.store.collection(PlainBot).insert(bot)
    return present(TradingBot.model_construct(**{**dict(bot), "max_drawdown_stop": None, "notes": None}))


if __name__ == "__main__":
    os.environ["BOTS_PORT"] = sys.argv[1]
    app = build_service(
        name="bots", version="0", settings=load(), documents=(*DOCUMENTS, PlainBot), routers=(), client=None, clock=None
    )
    app.router.routes.extend(router.routes)
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
