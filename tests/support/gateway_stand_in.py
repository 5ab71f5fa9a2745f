"""The gateway's part in a test of one service: signs the context of each request, with the references it validated.

async with GatewayStandIn(app, "bots", key) as gateway:
    answer = await gateway.as_(user_id).post("/v1/bots", json={...}, references=[...])
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, Self

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match

from kit.context import HEADER_NAME, RequestContext, ValidatedReference, body_digest, sign_context
from kit.identity import Caller
from kit.ids import new_id

DEADLINE_MS = 20_000
LIFETIME_S = 25


class GatewayStandIn:
    """Starts the app's lifespan when entered, and stops it when left."""

    def __init__(self, app: FastAPI, service: str, key: bytes) -> None:
        self.app = app
        self.service = service
        self.key = key
        self._stack = AsyncExitStack()
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://service")

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.app.router.lifespan_context(self.app))
        self._stack.push_async_callback(self._client.aclose)
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._stack.aclose()

    def as_(
        self, user_id: str | None, roles: Iterable[str] = ("user",), *, scopes: Iterable[str] | None = None
    ) -> "Client":
        taken = None if scopes is None else frozenset(scopes)
        return Client(self, Caller(user_id, frozenset(roles), taken))

    def anonymous(self) -> "Client":
        """Nobody in particular; the gateway's own calls look the same."""
        return Client(self, Caller(None))

    async def bare(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request without a context, as from somebody who reached the service's port."""
        return await self._client.request(method, path, **options)

    def references_digest(self, method: str, path: str) -> str | None:
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        for route in self.app.router.routes:
            if isinstance(route, APIRoute) and route.matches(scope)[0] is Match.FULL:
                digest: str | None = self.app.state.rules.reference_digests.get(route.unique_id)
                return digest
        return None

    def context(self, request: httpx.Request, caller: Caller) -> RequestContext:
        now_s = self.app.state.runtime.clock.now().timestamp()
        return RequestContext(
            audience=self.service,
            method=request.method,
            path=request.url.raw_path.decode("ascii"),
            request_id=new_id(),
            deadline=int(now_s * 1000) + DEADLINE_MS,
            expires_at=int(now_s) + LIFETIME_S,
            caller=caller,
            references_digest=self.references_digest(request.method, request.url.path),
            body_sha256=body_digest(request.content),
        )

    async def send(self, request: httpx.Request, context: RequestContext) -> httpx.Response:
        request.headers[HEADER_NAME] = sign_context(context, self.key)
        return await self._client.send(request)

    def build(self, method: str, path: str, **options: Any) -> httpx.Request:
        return self._client.build_request(method, path, **options)


@dataclass(frozen=True)
class Client:
    """Sends what one caller asks for. `changes` replaces fields of the context, for one that no gateway would sign."""

    gateway: GatewayStandIn
    caller: Caller

    async def request(
        self,
        method: str,
        path: str,
        *,
        references: Sequence[ValidatedReference] = (),
        versions: Mapping[str, int] | None = None,
        replay_only: bool = False,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        changes: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> httpx.Response:
        sent = dict(headers or {})
        if idempotency_key is not None:
            sent["Idempotency-Key"] = idempotency_key
        if if_match is not None:
            sent["If-Match"] = if_match
        request = self.gateway.build(method, path, headers=sent, **options)
        context = replace(
            self.gateway.context(request, self.caller),
            references=tuple(references),
            versions=versions,
            replay_only=replay_only,
        )
        return await self.gateway.send(request, replace(context, **(changes or {})))

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("POST", path, **options)

    async def patch(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("PATCH", path, **options)

    async def put(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("PUT", path, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("DELETE", path, **options)
