"""Services that the gateway's tests stand on: real HTTP servers with small OpenAPI documents, whose every word a test
sets.

A stub verifies the gateway's context as a service does, remembers each request, and keeps its owner's half in `rows`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from deploy.local.ports import free_ports
from kit.context import RequestContext, verify_context

Json = dict[str, Any]
Handler = Callable[["Seen", Callable[..., Awaitable[None]]], Awaitable[None]]


@dataclass
class Seen:
    """A request as it reached a stub. `context` is None if it had none that is good."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    context: RequestContext | None
    receive: Any = None
    send: Any = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass
class Stub:
    """One service on a port of its own. `answers` are by (method, target without query); unknown ones get 200 and an
    echo."""

    name: str
    key: bytes
    document: Json
    rows: dict[tuple[str, str], Json] = field(default_factory=dict)
    epochs: dict[tuple[str, str], int] = field(default_factory=dict)
    answers: dict[tuple[str, str], Handler] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    consents: bool = True
    registered: set[tuple[str, str]] = field(default_factory=set)
    port: int = 0
    etag: bool = True
    reads: list[int] = field(default_factory=list)
    gate: asyncio.Event | None = None
    clients: list[int] = field(default_factory=list)
    _server: "HttpServer | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def to(self, path: str) -> list[Seen]:
        return [one for one in self.seen if one.target.partition("?")[0] == path]

    @property
    def questions(self) -> list[list[Json]]:
        """The items of each validation call."""
        return [call.json["items"] for call in self.to("/internal/references/validate")]

    @property
    def routed(self) -> list[Seen]:
        return [one for one in self.seen if not one.target.startswith(("/internal/", "/openapi.json", "/.well-known"))]

    async def start(self) -> None:
        if not self.port:
            self.port = free_port()
        self._server = HttpServer(self._app, HttpToolsProtocol)
        await self._server.start(self.port)

    async def stop(self) -> None:
        """As if it were killed: every connection breaks."""
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        target = scope["raw_path"].decode()
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode()
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        seen = Seen(scope["method"], target, headers, body, self._context(scope["method"], target, dict(headers)))
        self.seen.append(seen)

        async def reply(status: int, value: Any = None, headers: Mapping[str, str] | None = None) -> None:
            await answer(send, status, value, headers or {})

        seen.receive, seen.send = receive, send
        self.clients.append(scope["client"][1])
        await self._reply(seen, reply)

    def _context(self, method: str, target: str, headers: Mapping[str, str]) -> RequestContext | None:
        with suppress(Exception):
            return verify_context(
                headers["x-omnitrade-context"],
                [self.key],
                audience=self.name,
                method=method,
                path=target,
                now=datetime.now(UTC),
            )
        return None

    async def _reply(self, seen: Seen, reply: Callable[..., Awaitable[None]]) -> None:
        path = seen.target.partition("?")[0]
        handler = self.answers.get((seen.method, path))
        if handler is not None:
            await handler(seen, reply)
        elif path == "/openapi.json":
            await self._openapi(seen, reply)
        elif path == "/internal/references/register":
            await self._register(seen, reply)
        elif path == "/internal/references/validate":
            await self._validate(seen, reply)
        else:
            await reply(200, {"service": self.name, "method": seen.method, "target": seen.target})

    async def _openapi(self, seen: Seen, reply: Callable[..., Awaitable[None]]) -> None:
        body = json.dumps(self.document).encode()
        tag = f'"{hash(body)}"'
        if self.etag and seen.header("if-none-match") == tag:
            self.reads.append(304)
            await reply(304)
            return
        self.reads.append(200)
        await reply(200, body, {"content-type": "application/json", **({"etag": tag} if self.etag else {})})

    async def _register(self, seen: Seen, reply: Callable[..., Awaitable[None]]) -> None:
        if seen.context is None:
            await reply(401, problem(401, "unauthenticated"))
            return
        asked = seen.json["relationships"]
        if self.consents:
            self.registered |= {(one["relationship"], one["parent"]) for one in asked}
            await reply(200, {"registered": [one["relationship"] for one in asked], "refused": []})
        else:
            refused = [{"relationship": one["relationship"], "code": "no-consent", "detail": "no"} for one in asked]
            await reply(200, {"registered": [], "refused": refused})

    async def _validate(self, seen: Seen, reply: Callable[..., Awaitable[None]]) -> None:
        if seen.context is None:
            await reply(401, problem(401, "unauthenticated"))
            return
        if self.gate is not None:
            await self.gate.wait()
        await reply(200, {"items": [self.judged(one) for one in seen.json["items"]]})

    def judged(self, item: Json) -> Json:
        """The owner's half over `rows`: by (entity, id), each with its fields; a row's `owner` may refer to it, or an
        admin."""
        own = any(item["relationship"].startswith(entity + ".") for entity in self.document["x-entities"])
        if not own and (item["relationship"], item["parent"]) not in self.registered:
            return {"status": "unregistered", "detail": "unknown"}
        found_id, row = self._find(item)
        caller = item["caller"]
        wrong = row is None or any(row.get(name) != value for name, value in item.get("match", {}).items())
        if row is not None and row.get("owner") not in (None, caller["id"]) and "admin" not in caller["roles"]:
            wrong = True
        if row is None or wrong:
            return {"status": "not-found", "detail": "no"}
        for name, value in item.get("require", {}).items():
            if row.get(name) != value:
                return {"status": "condition-failed", "detail": f"{name} is not {value}."}
        epoch = self.epochs.get((item["parent"], found_id), 0)
        copied = {name: row[name] for name in item.get("copy", ())}
        return {"status": "ok", "id": found_id, "epoch": epoch, "copied": copied}

    def _find(self, item: Json) -> tuple[str, Json | None]:
        if "id" in item:
            return item["id"], self.rows.get((item["parent"], item["id"]))
        for (parent, row_id), row in self.rows.items():
            if parent == item["parent"] and all(row.get(name) == value for name, value in item["key"].items()):
                return row_id, row
        return "", None


def problem(status: int, code: str, **more: Any) -> Json:
    return {
        "type": f"urn:omnitrade:problem:{code}",
        "title": code,
        "status": status,
        "code": code,
        "detail": code,
        "instance": "/",
        "requestId": "r",
        **more,
    }


async def answer(send: Any, status: int, value: Any, headers: Mapping[str, str]) -> None:
    body = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
    is_problem = isinstance(value, dict) and "code" in value and "status" in value
    kind = "application/problem+json" if is_problem else "application/json"
    fields = {"content-type": kind, "content-length": str(len(body)), **headers}
    if status in (204, 304):
        fields.pop("content-length")
    raw = [(name.encode(), one.encode()) for name, one in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def replies(status: int, value: Any = None, headers: Mapping[str, str] | None = None) -> Handler:
    async def handler(_: Seen, reply: Callable[..., Awaitable[None]]) -> None:
        await reply(status, value, headers)

    return handler


def free_port() -> int:
    return free_ports(1)[0]


class HttpServer:
    """uvicorn's protocol on a socket, without its process: starts and stops at once."""

    def __init__(self, app: Any, protocol: type[HttpToolsProtocol]) -> None:
        self._config = uvicorn.Config(app, interface="asgi3", log_config=None, access_log=False, ws="none")
        self._protocol = protocol
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> None:
        self._config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, "127.0.0.1", port)

    def _connection(self) -> asyncio.Protocol:
        return self._protocol(config=self._config, server_state=self._state, app_state={})

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def serving(app: Any, protocol: type[HttpToolsProtocol]) -> AsyncIterator[int]:
    """The port of a server for an ASGI application, whose lifespan is run around it."""
    to_app: asyncio.Queue[Json] = asyncio.Queue()
    from_app: asyncio.Queue[Json] = asyncio.Queue()
    lifespan = asyncio.create_task(app({"type": "lifespan"}, to_app.get, from_app.put))
    to_app.put_nowait({"type": "lifespan.startup"})
    started = await from_app.get()
    assert started["type"] == "lifespan.startup.complete", started
    port = free_port()
    server = HttpServer(app, protocol)
    await server.start(port)
    try:
        yield port
    finally:
        await server.stop()
        to_app.put_nowait({"type": "lifespan.shutdown"})
        await lifespan
