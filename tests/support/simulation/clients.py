"""Clients of the public API, and the journal of what they were told."""

import asyncio
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jwt
import orjson
from simulation.applications import SEED, host_of

from gateway.upstream_errors import UpstreamError
from kit.ids import new_id
from users.adapters.access_tokens import AUDIENCE, ISSUER, SigningKey

if TYPE_CHECKING:
    from simulation.world import World

UNKNOWN = 0
TIMEOUT_S = 30.0
ISSUED_AT = 1_600_000_000
EXPIRES_AT = 4_100_000_000


@functools.cache
def token(user_id: str, roles: tuple[str, ...]) -> str:
    key = SigningKey.from_seed(SEED)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user_id,
        "roles": list(roles),
        "iat": ISSUED_AT,
        "exp": EXPIRES_AT,
    }
    return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.kid})


@dataclass
class Reply:
    """What a client was told; `status` UNKNOWN if it was told nothing."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_refused(self) -> bool:
        return 400 <= self.status < 500

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


@dataclass
class Call:
    """One thing that a client wanted, over all its tries, and the last word about it."""

    method: str
    target: str
    sent: Any
    reply: Reply
    began_at: float
    ended_at: float
    key: bytes
    statuses: tuple[int, ...]
    """Of all tries."""

    @property
    def may_have_been_done(self) -> bool:
        """Whether one of the tries was not refused."""
        return any(status < 400 or status >= 500 for status in self.statuses)


class Journal:
    def __init__(self) -> None:
        self.calls: list[Call] = []

    def of(self, method: str, prefix: str) -> list[Call]:
        return [one for one in self.calls if one.method == method and one.target.startswith(prefix)]


class Client:
    """Sends to a gateway by chance; what it was told nothing of it sends again, a POST with its Idempotency-Key."""

    def __init__(self, world: "World", user_id: str, roles: tuple[str, ...], *, name: str) -> None:
        self.id = user_id
        self.name = name
        self._world = world
        self._token = token(user_id, roles)

    async def get(self, target: str) -> Reply:
        return await self.call("GET", target)

    async def post(self, target: str, value: Any = None, *, key: bool = True, tries: int = 4) -> Reply:
        return await self.call("POST", target, {} if value is None else value, key=key, tries=tries)

    async def patch(self, target: str, value: Any) -> Reply:
        return await self.call("PATCH", target, value)

    async def delete(self, target: str, *, tries: int = 3) -> Reply:
        return await self.call("DELETE", target, tries=tries)

    async def call(
        self,
        method: str,
        target: str,
        value: Any = None,
        *,
        key: bool = False,
        tries: int = 2,
        gateway: str | None = None,
    ) -> Reply:
        """The final answer, or the last one that was none (503, or nothing at all)."""
        began_at = self._world.loop.now
        headers = [(b"host", b"gateway"), (b"authorization", f"Bearer {self._token}".encode())]
        body = b"" if value is None else orjson.dumps(value)
        if value is not None:
            headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        idempotency_key = new_id().encode() if key else b""
        if key:
            headers.append((b"idempotency-key", idempotency_key))
        reply, statuses = Reply(UNKNOWN), list[int]()
        while len(statuses) < tries:
            place = gateway or self._world.random.choice(self._world.doors)
            reply = await self._once(place, method, target, headers, body)
            statuses.append(reply.status)
            if not _is_worth_another(reply, has_key=key):
                break
            if not key and method in ("POST", "PATCH"):
                break
            await asyncio.sleep(self._world.random.uniform(0.05, 1.5))
        now = self._world.loop.now
        self._world.journal.calls.append(
            Call(method, target, value, reply, began_at, now, idempotency_key, tuple(statuses))
        )
        return reply

    async def _once(self, place: str, method: str, target: str, headers: Any, body: bytes) -> Reply:
        world = self._world
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await world.network.request(None, host_of(place), method, target, headers, body)
        except (UpstreamError, TimeoutError):
            world.trace.add("reply", f"{self.name} {method} {target}: nothing")
            return Reply(UNKNOWN)
        told = orjson.loads(answer.body) if answer.body else None
        named = {name.decode(): value.decode() for name, value in answer.headers}
        code = told.get("code", "") if isinstance(told, dict) and answer.status >= 400 else ""
        world.trace.add("reply", f"{self.name} {method} {target}: {answer.status} {code}")
        return Reply(answer.status, told, named)


def _is_worth_another(reply: Reply, *, has_key: bool) -> bool:
    if reply.status == UNKNOWN or reply.status >= 500:
        return True
    return has_key and reply.status == 409 and (reply.code == "idempotency-running" or "retry-after" in reply.headers)
