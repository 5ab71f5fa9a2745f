"""Stores for tests: mongomock as a store client, and the same with a scheduler's yields and injected faults.

mongomock never yields to the event loop, so two tasks on it run one after the other and a race can't happen.
`FaultyMotor` yields around every operation, and can refuse one, lose its answer, deliver it late, or hold it at a gate.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from mongomock.collection import BulkOperationBuilder
from mongomock_motor import AsyncMongoMockClient, AsyncMongoMockDatabase
from pymongo.errors import AutoReconnect

from kit.store import StoreClient

REACHED_S = 30.0


def _take_sort() -> None:
    """mongomock 4.3's bulk writes don't take the `sort` that current PyMongo always passes."""
    for name in ("add_update", "add_replace"):
        original = getattr(BulkOperationBuilder, name)
        if getattr(original, "takes_sort", False):
            continue

        def shim(self: Any, *args: Any, _original: Any = original, sort: Any = None, **kwargs: Any) -> Any:
            if sort is not None:
                raise NotImplementedError("a bulk write with a sort")
            return _original(self, *args, **kwargs)

        shim.takes_sort = True  # type: ignore[attr-defined]
        setattr(BulkOperationBuilder, name, shim)


def _answer_ping() -> None:
    original = AsyncMongoMockDatabase.command
    if getattr(original, "answers_ping", False):
        return

    async def command(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and args[0] in ("ping", {"ping": 1}):
            return {"ok": 1.0}
        return await original(self, *args, **kwargs)

    command.answers_ping = True  # type: ignore[attr-defined]
    AsyncMongoMockDatabase.command = command  # type: ignore[method-assign]


_take_sort()
_answer_ping()


def mock_motor() -> Any:
    return AsyncMongoMockClient(tz_aware=True)


def mock_client() -> StoreClient:
    return StoreClient.from_motor(mock_motor())


class Reached(asyncio.Event):
    """A wait for it ends in a failure, not never, if nothing comes."""

    async def wait(self) -> Literal[True]:
        async with asyncio.timeout(REACHED_S):
            return await super().wait()


@dataclass
class Gate:
    """Holds operations until it is opened. `reached` is set when the first has come to it."""

    reached: Reached = field(default_factory=Reached)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self) -> None:
        self.released.set()


@dataclass
class Fault:
    """What happens to the next `times` operations called `operation` (any if None) on `collection` (any if None), after
    `skip` of them: "refuse" (never executed), "lose" (executed, the answer is lost), "late" (the answer is lost and
    it is executed by `deliver`), "hold" (waits at `gate` before it is executed), "hold-answer" (waits there after
    it)."""

    kind: str
    operation: str | None = None
    collection: str | None = None
    times: int = 1
    skip: int = 0
    gate: Gate = field(default_factory=Gate)

    def takes(self, operation: str, collection: str) -> bool:
        if self.times <= 0 or self.operation not in (None, operation) or self.collection not in (None, collection):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass
class Faults:
    """The faults to come, what was called, and the messages still under way. `seed` fixes the schedule."""

    seed: int = 0
    rules: list[Fault] = field(default_factory=list)
    late: list[Callable[[], Awaitable[Any]]] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def add(self, kind: str, operation: str | None = None, collection: str | None = None, **options: Any) -> Fault:
        fault = Fault(kind, operation, collection, **options)
        self.rules.append(fault)
        return fault

    def count(self, operation: str, collection: str) -> int:
        return self.calls.count((operation, collection))

    async def deliver(self) -> None:
        """Executes the late messages; nobody waits for their answers any more."""
        late, self.late = self.late, []
        for execute in late:
            with contextlib.suppress(Exception):
                await execute()

    async def run(
        self,
        operation: str,
        collection: str,
        execute: Callable[[], Awaitable[Any]],
        execute_late: Callable[[], Awaitable[Any]] | None = None,
    ) -> Any:
        await self._yield()
        self.calls.append((operation, collection))
        fault = next((one for one in self.rules if one.takes(operation, collection)), None)
        if fault is None:
            result = await execute()
        else:
            result = await self._strike(fault, execute, execute_late)
        await self._yield()
        return result

    async def _strike(
        self,
        fault: Fault,
        execute: Callable[[], Awaitable[Any]],
        execute_late: Callable[[], Awaitable[Any]] | None,
    ) -> Any:
        if fault.kind == "refuse":
            raise AutoReconnect("refused")
        if fault.kind == "late":
            self.late.append(execute_late or execute)
            raise AutoReconnect("not delivered yet")
        if fault.kind == "hold":
            fault.gate.reached.set()
            await fault.gate.released.wait()
            return await execute()
        result = await execute()
        if fault.kind == "lose":
            raise AutoReconnect("the answer is lost")
        fault.gate.reached.set()
        await fault.gate.released.wait()
        return result

    async def _yield(self) -> None:
        for _ in range(self._random.randint(1, 4)):
            await asyncio.sleep(0)


class FaultyCursor:
    def __init__(self, faults: Faults, operation: str, collection: str, cursor: Any) -> None:
        self._faults, self._operation, self._collection, self._cursor = faults, operation, collection, cursor

    def sort(self, *args: Any) -> "FaultyCursor":
        self._cursor = self._cursor.sort(*args)
        return self

    def skip(self, count: int) -> "FaultyCursor":
        self._cursor = self._cursor.skip(count)
        return self

    def limit(self, count: int) -> "FaultyCursor":
        self._cursor = self._cursor.limit(count)
        return self

    async def to_list(self, length: int | None = None) -> Any:
        return await self._faults.run(self._operation, self._collection, lambda: self._cursor.to_list(length))


class FaultyCollection:
    def __init__(self, faults: Faults, inner: Any) -> None:
        self._faults, self._inner = faults, inner
        self.name: str = inner.name

    def find(self, *args: Any, **kwargs: Any) -> FaultyCursor:
        return FaultyCursor(self._faults, "find", self.name, self._inner.find(*args, **kwargs))

    def aggregate(self, *args: Any, **kwargs: Any) -> Any:
        return self._inner.aggregate(*args, **kwargs)

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._inner, operation)

        async def call(*args: Any, **kwargs: Any) -> Any:
            # A message that is under way does not mind that its session has ended at the sender's.
            sessionless = {name: value for name, value in kwargs.items() if name != "session"}
            return await self._faults.run(
                operation,
                self.name,
                lambda: method(*args, **kwargs),
                lambda: method(*args, **sessionless),
            )

        return call


class FaultyDatabase:
    def __init__(self, faults: Faults, inner: Any) -> None:
        self._faults, self._inner = faults, inner
        self.name: str = inner.name
        self.client = inner.client

    def __getitem__(self, name: str) -> FaultyCollection:
        return FaultyCollection(self._faults, self._inner[name])

    async def command(self, *args: Any, **kwargs: Any) -> Any:
        return await self._inner.command(*args, **kwargs)


class FaultyMotor:
    """A Motor-like client around mongomock whose operations yield and fail as `faults` says."""

    def __init__(self, faults: Faults, inner: Any = None) -> None:
        self.faults = faults
        self.inner = mock_motor() if inner is None else inner

    def __getitem__(self, name: str) -> FaultyDatabase:
        return FaultyDatabase(self.faults, self.inner[name])

    def get_database(self, name: str, **options: Any) -> FaultyDatabase:
        return FaultyDatabase(self.faults, self.inner.get_database(name, **options))

    async def start_session(self, **options: Any) -> Any:
        return await self.inner.start_session(**options)

    async def drop_database(self, name: str) -> None:
        await self.inner.drop_database(name)

    def close(self) -> None:
        self.inner.close()


def faulty_client(
    seed: int = 0, *, inner: Any = None, causal: bool = False, embedded: bool = False
) -> tuple[StoreClient, Faults]:
    """`inner` is a Motor client of a real store, whose operations are to yield and fail; mongomock without it."""
    faults = Faults(seed)
    return StoreClient.from_motor(FaultyMotor(faults, inner), causal=causal, embedded=embedded), faults
