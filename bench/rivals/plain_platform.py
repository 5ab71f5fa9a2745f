"""A platform that looks after its references in the usual way: `python -m bench.rivals.plain_platform ROLE PORT`.

Three processes over two databases. `users` and `bots` insert, count and delete plainly; `gateway` asks the owners by
GET before it lets a bot be written, and before a delete counts what refers to the parent (an exchange account with bots
is kept) or removes it (a user's bots and accounts go first). Every answer was right when it was given.
"""

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar

import httpx
import uvicorn
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel

from kit.documents import Record
from kit.ids import new_id
from kit.store import StoreClient, index

CONNECTIONS_MAX = 100
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class PlainUser(Record):
    class Settings:
        name = "plain_users"


class PlainAccount(Record):
    user_id: str

    class Settings:
        name = "plain_accounts"
        indexes: ClassVar = [index("userId")]


class PlainBot(Record):
    """A bot whose ids are any text."""

    user_id: str
    exchange_account_id: str
    name: str

    class Settings:
        name = "plain_bots"
        indexes: ClassVar = [index("userId"), index("exchangeAccountId")]


class BotBody(BaseModel):
    """What the gateway takes; more than this is left out."""

    userId: str  # noqa: N815 - as it travels
    exchangeAccountId: str  # noqa: N815
    name: str


def users_app() -> FastAPI:
    app = FastAPI(lifespan=_with_store("users", PlainUser, PlainAccount))

    @app.get("/users/{user_id}")
    async def read_user(user_id: str) -> dict[str, str]:
        return {"userId": await _existing(app, PlainUser, user_id)}

    @app.get("/accounts/{account_id}")
    async def read_account(account_id: str) -> dict[str, str]:
        return {"accountId": await _existing(app, PlainAccount, account_id)}

    @app.delete("/users/{user_id}", status_code=204)
    async def delete_user(user_id: str) -> None:
        await app.state.store.rows("plain_accounts").delete_many({"userId": user_id})
        await app.state.store.rows("plain_users").delete_one({"_id": user_id})

    @app.delete("/accounts/{account_id}", status_code=204)
    async def delete_account(account_id: str) -> None:
        await app.state.store.rows("plain_accounts").delete_one({"_id": account_id})

    return app


def bots_app() -> FastAPI:
    app = FastAPI(lifespan=_with_store("bots", PlainBot))

    @app.post("/bots", status_code=201)
    async def create_bot(body: BotBody) -> dict[str, str]:
        row = {"_id": new_id(), **body.model_dump()}
        await app.state.store.rows("plain_bots").insert(row)
        return {"botId": row["_id"]}

    @app.get("/bots/count")
    async def count_bots(account_id: str) -> dict[str, int]:
        return {"count": await app.state.store.rows("plain_bots").count({"exchangeAccountId": account_id})}

    @app.delete("/bots", status_code=204)
    async def delete_bots(user_id: str) -> None:
        await app.state.store.rows("plain_bots").delete_many({"userId": user_id})

    return app


def gateway_app(users_url: str, bots_url: str) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=CONNECTIONS_MAX)) as client:
            app.state.client = client
            yield

    app = FastAPI(lifespan=lifespan)

    async def must_exist(path: str) -> None:
        answer = await app.state.client.get(users_url + path)
        if answer.status_code != 200:
            raise HTTPException(422, f"{path} does not exist")

    @app.post("/v1/bots")
    async def create_bot(body: BotBody) -> Response:
        await must_exist(f"/users/{body.userId}")
        await must_exist(f"/accounts/{body.exchangeAccountId}")
        answer = await app.state.client.post(f"{bots_url}/bots", json=body.model_dump())
        return Response(answer.content, answer.status_code, media_type="application/json")

    @app.delete("/v1/users/{user_id}", status_code=204)
    async def delete_user(user_id: str) -> None:
        await app.state.client.delete(f"{bots_url}/bots", params={"user_id": user_id})
        await app.state.client.delete(f"{users_url}/users/{user_id}")

    @app.delete("/v1/exchange-accounts/{account_id}", status_code=204)
    async def delete_account(account_id: str) -> None:
        answer = await app.state.client.get(f"{bots_url}/bots/count", params={"account_id": account_id})
        if answer.json()["count"]:
            raise HTTPException(409, "bots use the account")
        await app.state.client.delete(f"{users_url}/accounts/{account_id}")

    return app


async def _existing(app: FastAPI, kind: type[Record], wanted: str) -> str:
    if await app.state.store.rows(kind.collection_name()).find_one({"_id": wanted}) is None:
        raise HTTPException(404)
    return wanted


def _with_store(service: str, *documents: type[Record]) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        client = await StoreClient.connect(os.environ["MONGODB_URL"])
        app.state.store = client.database(f"{os.environ['DATABASE_PREFIX']}_{service}")
        await app.state.store.prepare(documents)
        yield
        await client.close()

    return lifespan


def made(role: str) -> FastAPI:
    if role == "gateway":
        app = gateway_app(os.environ["BENCH_USERS_URL"], os.environ["BENCH_BOTS_URL"])
    else:
        app = {"users": users_app, "bots": bots_app}[role]()

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    return app


if __name__ == "__main__":
    uvicorn.run(made(sys.argv[1]), port=int(sys.argv[2]), log_level="error", access_log=False)
