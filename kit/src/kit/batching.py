"""Group commit: requests that come while a batch is under way share the next one. No timer: a batch leaves as soon as
the one before it has answered."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from kit.problems import DeadlineExceeded, Unavailable

T = TypeVar("T")
R = TypeVar("R")

SIZE_MAX = 200
WAITING_MAX = 10_000
TIMEOUT_S = 15.0


class Lane(Generic[T]):
    """One batch in flight. `send` disposes of its items; if it raises, `failed` gets each of them with the error.
    `gone` says which waiting items have left, and is asked right before a batch is sent, never after."""

    def __init__(
        self,
        send: Callable[[list[T]], Awaitable[None]],
        *,
        failed: Callable[[T, Exception], None],
        gone: Callable[[T], bool] | None = None,
        size_max: int = SIZE_MAX,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._send = send
        self._failed = failed
        self._gone = gone
        self._size_max = size_max
        self._waiting_max = waiting_max
        self._waiting: deque[T] = deque()
        self._running: asyncio.Task[None] | None = None

    def put(self, item: T) -> None:
        """Raises Unavailable if too many wait already."""
        if len(self._waiting) >= self._waiting_max:
            raise Unavailable("Too many writes are waiting; try again.")
        self._waiting.append(item)
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while batch := self._take():
                try:
                    await self._send(batch)
                except Exception as error:  # noqa: BLE001 (each item says what becomes of it)
                    for item in batch:
                        self._failed(item, error)
        finally:
            self._running = None

    def _take(self) -> list[T]:
        batch: list[T] = []
        while self._waiting and len(batch) < self._size_max:
            item = self._waiting.popleft()
            if self._gone is None or not self._gone(item):
                batch.append(item)
        return batch


class Batcher(Generic[T, R]):
    """Shares calls of `send`, which gives one result (or the item's own error) for each item, in order.

    Every batch has `timeout_s`; after it each of its items gets DeadlineExceeded, its outcome being unknown. A caller
    that is cancelled before its batch is sent leaves it; afterwards the item stays and its result is dropped.
    """

    def __init__(
        self,
        send: Callable[[list[T]], Awaitable[Sequence[R | BaseException]]],
        *,
        size_max: int = SIZE_MAX,
        waiting_max: int = WAITING_MAX,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._call = send
        self._timeout_s = timeout_s
        self._lane: Lane[tuple[T, asyncio.Future[R]]] = Lane(
            self._send, failed=_fail, gone=lambda entry: entry[1].done(), size_max=size_max, waiting_max=waiting_max
        )

    async def submit(self, item: T) -> R:
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._lane.put((item, future))
        return await future

    async def _send(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                results = await self._call([item for item, _ in batch])
        except TimeoutError as error:
            raise DeadlineExceeded("The batch got no answer in time.") from error
        if len(results) != len(batch):
            raise RuntimeError(f"{len(results)} results for a batch of {len(batch)}")
        for entry, result in zip(batch, results, strict=True):
            if isinstance(result, BaseException):
                _fail(entry, result)
            elif not entry[1].done():
                entry[1].set_result(result)


def _fail(entry: tuple[T, "asyncio.Future[R]"], error: BaseException) -> None:
    if not entry[1].done():
        entry[1].set_exception(error)
