"""The store: one server in memory, or a replica set of which an old primary may go on answering. Every operation
travels there and back, and may be lost or late on its way; it is executed at most once."""

import copy
import random
from collections.abc import Callable, Iterator
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

import mongomock
import mongomock.collection
from pymongo.errors import AutoReconnect, PyMongoError
from simulation.faults import Faults, Point
from simulation.loop import Owner, SimulatedLoop
from simulation.trace import Trace

Work = Callable[[Any], Any]

NOTICES = 0.3
"""How often a process finds out that there is another primary, when it wants what the old one can't do."""


def _find_by_key_at_once() -> None:
    """mongomock looks at every document, even for one key."""
    collections: Any = mongomock.collection
    original = collections.Collection._iter_documents
    if getattr(original, "is_quick", False):
        return

    def quick(self: Any, where: Any) -> Any:
        key = where.get("_id") if isinstance(where, dict) else None
        documents = self._store._documents
        if isinstance(key, str):
            rows = [documents[key]] if key in documents else []
        elif isinstance(key, dict) and len(key) == 1 and isinstance(key.get("$in"), list):
            wanted = {one for one in key["$in"] if isinstance(one, str)}
            rows = [row for name, row in documents.items() if name in wanted]
        else:
            return original(self, where)
        return (row for row in rows if collections.filter_applies(where, row))

    quick.is_quick = True  # type: ignore[attr-defined]
    collections.Collection._iter_documents = quick


_find_by_key_at_once()


@dataclass(eq=False)
class Message:
    """One operation under way. `work` executes it on a database client, whole or step by step."""

    owner: Owner
    point: Point
    work: Work
    session: Any
    future: Any
    text: str
    is_gone: bool = False
    has_run: bool = False
    loses_answer: bool = False
    sees: int = 0
    running: Any = None
    then_after: Callable[[], None] | None = None


@dataclass
class Deposed:
    """A primary that doesn't know yet that it isn't one: its data, and whose reads may still come to it, through a
    router that is as outdated. What it can't do is done by the new one."""

    data: Any
    at: int
    believers: list[Owner] = field(default_factory=list)


class Server:
    def __init__(self, loop: SimulatedLoop, faults: Faults, trace: Trace, *, is_cluster: bool) -> None:
        self.data: Any = mongomock.MongoClient(tz_aware=True)
        self.is_cluster = is_cluster
        self.moment = 1
        self.is_over = False
        self.deposed: Deposed | None = None
        self.notices = NOTICES
        self._loop = loop
        self._faults = faults
        self._trace = trace
        self._context = Context()
        self._under_way: dict[Message, None] = {}
        self._late: dict[Message, None] = {}

    # The way there and back

    def send(self, message: Message) -> None:
        if self.is_over:
            message.future.set_exception(AutoReconnect("the simulation is over"))
            return
        self._under_way[message] = None
        self._later(self._faults.way_s(message.point), self._arrive, message)

    def _later(self, delay_s: float, call: Callable[..., None], *args: Any) -> None:
        self._loop.call_later(delay_s, call, *args, context=self._context)

    def _arrive(self, message: Message) -> None:
        if message.is_gone:
            return
        rule = self._faults.strike(message.point)
        if rule is None:
            self._execute(message)
            return
        self._trace.add("fault", f"{rule.fate} {message.point.process} {message.text}")
        if rule.then is not None and rule.fate != "after":
            rule.then()
            if message.is_gone:
                return
        if rule.fate in ("refuse", "drop"):
            self._end(message, error=AutoReconnect("the store took it not"))
        elif rule.fate == "late":
            self._late[message] = None
            self._later(self._faults.late_s(), self._deliver_late, message)
            self._fail(message)
        elif rule.fate == "late-gate":
            rule.gate.take(lambda: self._execute(message))
            self._fail(message)
        elif rule.fate == "hold":
            rule.gate.take(lambda: self._execute(message))
        elif rule.fate == "hold-answer":
            message.then_after = None
            self._execute(message, gate=rule.gate)
        else:
            message.loses_answer = rule.fate == "lose"
            message.then_after = rule.then if rule.fate == "after" else None
            self._execute(message)

    def _deliver_late(self, message: Message) -> None:
        if self._late.pop(message, self) is None:
            self._trace.add("fault", f"delivered late {message.text}")
            self._execute(message)

    def deliver_all(self) -> None:
        """What is late arrives now."""
        for message in list(self._late):
            self._deliver_late(message)

    def forget(self, owner: Owner, source: random.Random) -> None:
        """The process was killed: what it had sent may arrive or not."""
        for message in list(self._under_way):
            if message.owner is owner and not message.has_run and source.random() < 0.5:
                self._drop(message)

    def _drop(self, message: Message) -> None:
        message.is_gone = True
        self._under_way.pop(message, None)

    def _execute(self, message: Message, gate: Any = None) -> None:
        if message.is_gone or self.is_over:
            return
        message.has_run = True
        try:
            view = self._view(message)
            result = message.work(view)
        except PyMongoError as error:
            self._end(message, error=error)
            return
        if isinstance(result, Iterator):
            message.running = result
            self._advance(message, gate)
        else:
            self._done(message, result, gate)

    def _advance(self, message: Message, gate: Any) -> None:
        """A write of many documents is no single step."""
        try:
            next(message.running)
        except StopIteration as end:
            self._done(message, end.value, gate)
        except PyMongoError as error:
            self._end(message, error=error)
        else:
            if message.is_gone:
                return
            if self._faults.random.random() < 0.5:
                self._advance(message, gate)
            else:
                self._later(self._faults.random.uniform(0.0001, 0.003), self._advance, message, gate)

    def _done(self, message: Message, result: Any, gate: Any) -> None:
        if message.point.writes:
            self.moment += 1
        self._trace.add("store", f"{message.point.process} {message.text} -> {_brief(result)}")
        if message.session is not None:
            message.session.saw(message.sees or self.moment)
        if message.then_after is not None:
            message.then_after()
        if gate is not None:
            gate.take(lambda: self._end(message, result=result))
        elif message.loses_answer:
            self._fail(message)
        else:
            self._end(message, result=result)

    def _fail(self, message: Message) -> None:
        self._end(message, error=AutoReconnect("the answer is lost"))

    def _end(self, message: Message, *, result: Any = None, error: Exception | None = None) -> None:
        self._later(self._faults.latency_s(), self._answer, message, result, error)

    def _answer(self, message: Message, result: Any, error: Exception | None) -> None:
        self._under_way.pop(message, None)
        if message.future.done() or not message.owner.alive:
            return
        if error is not None:
            message.future.set_exception(error)
        else:
            message.future.set_result(result)

    # Replicas

    def fail_over(self, believers: list[Owner], *, lasts_s: float | None = None) -> None:
        """Another primary. Of what is under way some is executed and some not, and nobody is answered; `believers` go
        on asking the old one, until they find out."""
        self._trace.add("event", f"fail-over, not noticed by {[one.name for one in believers]}")
        self.deposed = Deposed(copy_of(self.data), self.moment, list(believers))
        for message in list(self._under_way):
            is_undone = not message.has_run or message.running is not None
            if is_undone and self._faults.random.random() < 0.5:
                self._drop(message)
                self._fail(message)
            else:
                message.loses_answer = True
        for owner in believers:
            self._later(lasts_s or self._faults.random.uniform(0.2, 8.0), self._notice, owner)

    def _notice(self, owner: Owner) -> None:
        if self.deposed is not None and owner in self.deposed.believers:
            self.deposed.believers.remove(owner)

    def all_notice(self) -> None:
        self.deposed = None

    def _view(self, message: Message) -> Any:
        """The data that an operation is executed on. The old primary takes no write, and doesn't answer whoever has
        seen what it doesn't know."""
        deposed = self.deposed
        if deposed is None or message.owner not in deposed.believers:
            return self.data
        seen = 0 if message.session is None else message.session.seen
        if message.point.writes or seen > deposed.at:
            if self._faults.random.random() < self.notices:
                self._notice(message.owner)
                raise AutoReconnect("not primary")
            return self.data
        self._trace.add("fault", f"stale {message.point.process} {message.text}")
        message.sees = deposed.at
        return deposed.data


def copy_of(data: Any) -> Any:
    twin: Any = mongomock.MongoClient(tz_aware=True)
    for name, database in data._store._databases.items():
        for collection_name, collection in database._collections.items():
            twin._store[name][collection_name]._documents = copy.deepcopy(collection._documents)
    return twin


def _brief(result: Any) -> str:
    if isinstance(result, list):
        return f"{len(result)} rows"
    if isinstance(result, dict):
        return str(result.get("_id"))
    for name in ("matched_count", "deleted_count"):
        count = getattr(result, name, None)
        if count is not None:
            return str(count)
    return "none" if result is None else type(result).__name__
