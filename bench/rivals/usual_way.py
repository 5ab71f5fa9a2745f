"""The usual way to look after references: ask each owner in turn, then write: `python -m bench.rivals.usual_way PORT`.

FastAPI and httpx; no transaction, no intent, so a delete in between leaves a bot of nobody. The contexts by which the
owners take its questions are signed once every few seconds.
"""

import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response

from bench.contexts import signed_header

CONTEXT_KEPT_S = 10.0


class Owners:
    """GETs to the users service, with contexts kept for a while."""

    def __init__(self, client: httpx.AsyncClient, users_url: str, user_id: str, key: bytes) -> None:
        self._client = client
        self._users_url = users_url
        self._user_id = user_id
        self._key = key
        self._kept: dict[str, tuple[float, dict[str, str]]] = {}

    async def must_have(self, path: str) -> None:
        """Raises 422 if the owner has no such thing."""
        made_at, headers = self._kept.get(path, (0.0, {}))
        if time.monotonic() - made_at > CONTEXT_KEPT_S:
            headers = signed_header("users", "GET", path, user_id=self._user_id, key=self._key)
            self._kept[path] = (time.monotonic(), headers)
        answer = await self._client.get(self._users_url + path, headers=headers)
        if answer.status_code != 200:
            raise HTTPException(422, f"{path} does not exist")


def create_app(users_url: str, plain_url: str, user_id: str, key: bytes) -> FastAPI:
    """Two questions, then the write."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=100)) as client:
            app.state.client = client
            app.state.owners = Owners(client, users_url, user_id, key)
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.post("/v1/bots")
    async def create(request: Request) -> Response:
        content = await request.body()
        owners: Owners = request.app.state.owners
        await owners.must_have(f"/v1/users/{user_id}")
        await owners.must_have(f"/v1/exchange-accounts/{json.loads(content)['exchangeAccountId']}")
        client: httpx.AsyncClient = request.app.state.client
        headers = {"Content-Type": "application/json"}
        answer = await client.post(f"{plain_url}/plain/bots/{user_id}", content=content, headers=headers)
        return Response(answer.content, answer.status_code, media_type="application/json")

    return app


if __name__ == "__main__":
    application = create_app(
        os.environ["BENCH_USERS_URL"],
        os.environ["BENCH_PLAIN_URL"],
        os.environ["BENCH_USER_ID"],
        os.environ["BENCH_USERS_KEY"].encode(),
    )
    uvicorn.run(application, port=int(sys.argv[1]), log_level="error", access_log=False)
