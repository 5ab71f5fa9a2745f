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
    """One batch in flight. `send` disposes of its items itself and must not raise; `gone` says which waiting items have
    left, and is asked right before a batch is sent, never after."""

    def __init__(
        self,
        send: Callable[[list[T]], Awaitable[None]],
        *,
        gone: Callable[[T], bool] | None = None,
        size_max: int = SIZE_MAX,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._send = send
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
                await self._send(batch)
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
            self._send, gone=lambda entry: entry[1].done(), size_max=size_max, waiting_max=waiting_max
        )

    async def submit(self, item: T) -> R:
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._lane.put((item, future))
        return await future

    async def _send(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        results: Sequence[R | BaseException]
        try:
            async with asyncio.timeout(self._timeout_s):
                results = await self._call([item for item, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{len(results)} results for a batch of {len(batch)}")  # noqa: TRY301
        except TimeoutError:
            results = [DeadlineExceeded("The batch got no answer in time.") for _ in batch]
        except Exception as error:  # noqa: BLE001 (it is handed to everyone who waits)
            results = [error] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
