"""The public keys of the service that issues access tokens, read from its key set (RFC 7517) and read again when a
token names a key that is not known."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import jwt
import orjson
import structlog
from jwt.algorithms import OKPAlgorithm

from gateway.client import SmallAnswer
from gateway.upstream_errors import UpstreamError
from kit.problems import Unavailable

PATH: Final = "/.well-known/jwks.json"
BYTES_MAX: Final = 64 * 1024
KEYS_MAX: Final = 32
REFRESH_S: Final = 300.0
"""After so long the set is read again, so that a key that was withdrawn stops being taken."""
_log = structlog.get_logger("gateway.jwks")

Fetch = Callable[[], Awaitable[SmallAnswer]]


class KeySet:
    """Tokens with made-up keys make the gateway read the set no oftener than every `interval_s`. `generation` goes up
    when a key was withdrawn: tokens verified before have to be verified again."""

    def __init__(self, fetch: Fetch, *, interval_s: float) -> None:
        self._fetch = fetch
        self._interval_s = interval_s
        self._keys: dict[str, object] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self.generation = 0

    async def key(self, kid: str) -> object | None:
        """The key of that name; None if the issuer has none. Raises Unavailable if its keys were never read."""
        now = asyncio.get_running_loop().time()
        may_read = self._tried_at is None or now - self._tried_at >= self._interval_s
        if kid not in self._keys and (may_read or self._reading is not None):
            await asyncio.shield(self._start())
        if self._read_at is None:
            raise Unavailable("The keys that verify access tokens cannot be read now.")
        return self._keys.get(kid)

    def refresh_if_due(self) -> None:
        """Called at start and now and then: whoever has all tokens remembered would not notice that a key was
        withdrawn."""
        if self._read_at is None or asyncio.get_running_loop().time() - self._read_at >= REFRESH_S:
            self._start()

    async def stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _start(self) -> asyncio.Task[None]:
        """One reading at a time; whoever comes meanwhile waits for it."""
        if self._reading is None:
            self._tried_at = asyncio.get_running_loop().time()
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        try:
            answer = await self._fetch()
            if answer.status != 200:
                _log.warning("key set not read", status=answer.status)
                return
            keys = parse_keys(answer.body)
        except (UpstreamError, ValueError) as error:
            _log.warning("key set not read", reason=str(error))
        else:
            if not self._keys.keys() <= keys.keys():
                self.generation += 1
            self._keys = keys
            self._read_at = asyncio.get_running_loop().time()
        finally:
            self._reading = None


def parse_keys(body: bytes) -> dict[str, object]:
    """The Ed25519 keys of a key set by their names; others are left out. Raises ValueError if it is no key set."""
    document = orjson.loads(body)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > KEYS_MAX:
        raise ValueError("not a key set")
    keys: dict[str, object] = {}
    for one in listed:
        if not isinstance(one, dict) or one.get("kty") != "OKP" or one.get("crv") != "Ed25519" or "d" in one:
            continue
        if not isinstance(one.get("kid"), str) or one.get("use", "sig") != "sig":
            continue
        try:
            keys[one["kid"]] = OKPAlgorithm.from_jwk(one)
        except jwt.InvalidKeyError:
            _log.warning("a key of the key set is malformed", kid=one["kid"])
    return keys
