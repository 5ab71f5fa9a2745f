"""Argon2id away from the event loop, a bounded number at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from kit.problems import Unavailable

HASH_BYTES = 32
SALT_BYTES = 16

Result = TypeVar("Result")


@dataclass(frozen=True)
class HashingCost:
    """What one hash costs, and how many may run and wait at once."""

    memory_kib: int
    iterations: int
    lanes: int
    running_max: int
    waiting_max: int


class SecretHasher:
    """Hashes and verifies secrets in threads of its own.

    Memory is bounded by `running_max` times `memory_kib`; a request that would have to wait behind `waiting_max` others
    is refused as unavailable instead of growing the queue.
    """

    def __init__(self, cost: HashingCost) -> None:
        self._hasher = PasswordHasher(
            time_cost=cost.iterations,
            memory_cost=cost.memory_kib,
            parallelism=cost.lanes,
            hash_len=HASH_BYTES,
            salt_len=SALT_BYTES,
            type=Type.ID,
        )
        self._threads = ThreadPoolExecutor(max_workers=cost.running_max, thread_name_prefix="argon2")
        self._pending = 0
        self._pending_max = cost.running_max + cost.waiting_max
        self._decoy = self._hasher.hash("a secret that nobody has")

    async def hash(self, secret: str) -> str:
        """The encoded hash with its salt and parameters. Raises Unavailable if too many are waiting."""
        return await self._in_thread(lambda: self._hasher.hash(secret))

    async def verify(self, encoded: str | None, secret: str) -> bool:
        """Whether the secret has this hash. None takes as long as a wrong secret, so that time tells nothing."""
        matches = await self._in_thread(lambda: self._matches(encoded or self._decoy, secret))
        return matches and encoded is not None

    def is_outdated(self, encoded: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(encoded)

    def close(self) -> None:
        """Lets running hashes finish and drops the waiting ones."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _matches(self, encoded: str, secret: str) -> bool:
        try:
            return self._hasher.verify(encoded, secret)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        if self._pending >= self._pending_max:
            raise Unavailable("Too many sign-ins are waiting; try again in a moment.")
        self._pending += 1
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        running.add_done_callback(self._finished)
        return await running

    def _finished(self, _: object) -> None:
        self._pending -= 1
