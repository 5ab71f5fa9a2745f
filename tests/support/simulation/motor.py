"""What kit's store calls: as much of Motor's client as it uses, for one process."""

import asyncio
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import mock_store
from pymongo.errors import BulkWriteError, DuplicateKeyError
from simulation.faults import STORE, Point
from simulation.loop import Owner
from simulation.server import Message, Server
from simulation.sessions import SimulatedSession

assert mock_store  # it mends mongomock's bulk writes

READS = frozenset({"find", "find_one", "count_documents", "aggregate", "distinct"})
TEXT_MAX = 220


class SimulatedMotor:
    def __init__(self, server: Server, owner: Owner) -> None:
        self._server = server
        self._owner = owner

    def __getitem__(self, name: str) -> "_Database":
        return _Database(self._server, self._owner, name)

    def get_database(self, name: str, **_: Any) -> "_Database":
        return self[name]

    async def start_session(self, **_: Any) -> SimulatedSession:
        return SimulatedSession()

    def close(self) -> None:
        """Nothing is open."""


class _Database:
    def __init__(self, server: Server, owner: Owner, name: str) -> None:
        self._server = server
        self._owner = owner
        self.name = name

    def __getitem__(self, name: str) -> "_Collection":
        return _Collection(self._server, self._owner, self.name, name)

    async def command(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"ok": 1.0}


class _Collection:
    def __init__(self, server: Server, owner: Owner, database: str, name: str) -> None:
        self._server = server
        self._owner = owner
        self._database = database
        self.name = name

    def find(self, *args: Any, session: Any = None, **_: Any) -> "_Cursor":
        return _Cursor(self, "find", args, session)

    def aggregate(self, *args: Any, session: Any = None, **_: Any) -> "_Cursor":
        return _Cursor(self, "aggregate", args, session)

    def __getattr__(self, operation: str) -> Any:
        if operation.startswith("_"):
            raise AttributeError(operation)

        def call(*args: Any, session: Any = None, **kwargs: Any) -> Any:
            return self.send(operation, args, kwargs, session)

        return call

    async def send(
        self, operation: str, args: Sequence[Any], kwargs: Mapping[str, Any], session: SimulatedSession | None
    ) -> Any:
        def work(data: Any) -> Any:
            collection = data[self._database][self.name]
            by_steps = _BY_STEPS.get(operation)
            if by_steps is not None:
                return by_steps(collection, *args)
            method = getattr(collection, operation)
            return method(*args, **kwargs)

        return await self.sent(operation, args, work, session)

    async def sent(self, operation: str, args: Sequence[Any], work: Any, session: SimulatedSession | None) -> Any:
        point = Point(STORE, self._owner.name, operation, self.name, operation not in READS)
        text = f"{operation} {self.name} {_text(args)}"
        future = asyncio.get_running_loop().create_future()
        self._server.send(Message(self._owner, point, work, session, future, text))
        return await future


class _Cursor:
    def __init__(self, collection: _Collection, operation: str, args: Sequence[Any], session: Any) -> None:
        self._collection = collection
        self._operation = operation
        self._args = args
        self._session = session
        self._changes: list[tuple[str, Any]] = []

    def sort(self, *args: Any) -> "_Cursor":
        self._changes.append(("sort", args))
        return self

    def skip(self, count: int) -> "_Cursor":
        self._changes.append(("skip", (count,)))
        return self

    def limit(self, count: int) -> "_Cursor":
        self._changes.append(("limit", (count,)))
        return self

    async def to_list(self, length: int | None = None) -> Any:
        def work(data: Any) -> Any:
            collection = data[self._collection._database][self._collection.name]
            cursor = getattr(collection, self._operation)(*self._args)
            for name, args in self._changes:
                cursor = getattr(cursor, name)(*args)
            rows = list(cursor)
            return rows if length is None else rows[:length]

        return await self._collection.sent(self._operation, self._args, work, self._session)


def _text(args: Sequence[Any]) -> str:
    return str([_ordered(one) for one in args])[:TEXT_MAX]


def _ordered(value: Any) -> Any:
    """A list of `$in` often comes out of a set, whose order is another in every process."""
    if isinstance(value, dict):
        return {name: _sorted(one) if name in ("$in", "$nin") else _ordered(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_ordered(one) for one in value]
    return value


def _sorted(values: Any) -> Any:
    try:
        return sorted(values)
    except TypeError:
        return values


# Writes of several documents: each is a step.


def _insert_many(collection: Any, rows: Sequence[Any]) -> Generator[None, None, Any]:
    refused: list[dict[str, Any]] = []
    for place, row in enumerate(rows):
        if place:
            yield
        try:
            collection.insert_one(row)
        except DuplicateKeyError as error:
            refused.append({"index": place, "code": 11000, "errmsg": str(error)})
    if refused:
        raise BulkWriteError({"writeErrors": refused, "writeConcernErrors": [], "nInserted": len(rows) - len(refused)})
    return len(rows)


class _Counted:
    def __init__(self, count: int) -> None:
        self.matched_count = self.deleted_count = self.modified_count = count


def _one_by_one(collection: Any, where: Any, write: Any) -> Generator[None, None, Any]:
    count = 0
    for place, row in enumerate(list(collection.find(where, {"_id": 1}))):
        if place:
            yield
        count += write({"_id": row["_id"], "$and": [where]})
    return _Counted(count)


def _update_many(collection: Any, where: Any, update: Any) -> Generator[None, None, Any]:
    return _one_by_one(collection, where, lambda one: collection.update_one(one, update).matched_count)


def _delete_many(collection: Any, where: Any) -> Generator[None, None, Any]:
    return _one_by_one(collection, where, lambda one: collection.delete_one(one).deleted_count)


_BY_STEPS: dict[str, Any] = {"insert_many": _insert_many, "update_many": _update_many, "delete_many": _delete_many}
