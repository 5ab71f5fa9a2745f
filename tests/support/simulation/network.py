"""The way from a client to a gateway and from a gateway to a service: every message takes its time, and may be lost,
doubled where that is allowed, or arrive when nobody waits for it any more."""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulation.faults import HOP, Faults, Point
from simulation.loop import Owner, SimulatedLoop
from simulation.trace import Trace
from yarl import URL

from gateway.client import Address, Content, Exchange, Upstream
from gateway.upstream_errors import AnswerLostError, AnswerTimeoutError, NotSentError

if TYPE_CHECKING:
    from simulation.processes import Process

CONNECT_TIMEOUT_S = 1.0
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Headers
    body: bytes


@dataclass(eq=False)
class Letter:
    """One request under way. `owner` is the process it was connected to; `copies` is how often it may still be
    delivered."""

    sender: Owner | None
    receiver: "Process"
    owner: Owner
    method: str
    target: str
    headers: Headers
    body: bytes
    future: "asyncio.Future[Answer]"
    text: str
    is_gone: bool = False
    is_late: bool = False
    loses_answer: bool = False
    then_after: Any = None
    gate: Any = None
    at: list[Owner] = field(default_factory=list)


class Network:
    def __init__(self, loop: SimulatedLoop, faults: Faults, trace: Trace) -> None:
        self.processes: dict[str, Process] = {}
        self.cut: set[str] = set()
        self.is_over = False
        self.repeated: set[bytes] = set()
        """Idempotency-Keys of what was delivered late or twice."""
        self._loop = loop
        self._faults = faults
        self._trace = trace
        self._context = Context()
        self._under_way: dict[Letter, None] = {}

    async def request(  # noqa: PLR0917 (it is what a request has)
        self, sender: Owner | None, host: str, method: str, target: str, headers: Headers, body: bytes
    ) -> Answer:
        """Raises NotSentError, AnswerLostError; waits for ever where nothing comes back."""
        receiver = self.processes[host]
        if self.is_over:
            raise NotSentError("the simulation is over")
        if receiver.name in self.cut:
            await asyncio.sleep(CONNECT_TIMEOUT_S)
            raise NotSentError("no connection: ConnectionTimeoutError")
        if not receiver.is_serving:
            await asyncio.sleep(self._faults.latency_s())
            raise NotSentError("no connection: ClientConnectorError")
        name = "client" if sender is None else sender.name
        future: asyncio.Future[Answer] = self._loop.create_future()
        text = f"{name} {method} {target} to {receiver.name}"
        letter = Letter(sender, receiver, receiver.owner, method, target, headers, body, future, text)
        self._under_way[letter] = None
        self._later(self._faults.latency_s(), self._arrive, letter)
        try:
            return await future
        finally:
            self._under_way.pop(letter, None)

    def _later(self, delay_s: float, call: Any, *args: Any) -> None:
        self._loop.call_later(delay_s, call, *args, context=self._context)

    def _arrive(self, letter: Letter) -> None:
        if letter.is_gone:
            return
        name = "client" if letter.sender is None else letter.sender.name
        point = Point(HOP, name, f"{letter.method} {letter.target}", letter.receiver.name, letter.method != "GET")
        rule = self._faults.strike(point, may_double=_may_double(letter))
        self._trace.add("hop", letter.text)
        if rule is None:
            self._deliver(letter)
            return
        self._trace.add("fault", f"{rule.fate} {letter.text}")
        if rule.fate in ("late", "double"):
            self.repeated.update(value for name, value in letter.headers if name == b"idempotency-key")
        if rule.then is not None and rule.fate != "after":
            rule.then()
            if letter.is_gone:
                return
        if rule.fate in ("refuse", "drop"):
            self._break(letter)
        elif rule.fate == "late":
            self._break(letter)
            letter.is_late = True
            self._later(self._faults.late_s(), self._deliver, letter)
        elif rule.fate == "double":
            self._deliver(letter)
            self._later(self._faults.late_s(), self._deliver, letter)
        elif rule.fate == "hold":
            rule.gate.take(lambda: self._deliver(letter))
        else:
            letter.loses_answer = rule.fate == "lose"
            letter.gate = rule.gate if rule.fate == "hold-answer" else None
            letter.then_after = rule.then if rule.fate == "after" else None
            self._deliver(letter)

    def _deliver(self, letter: Letter) -> None:
        """To whoever is there. A late or doubled one may meet the process's successor."""
        receiver = letter.receiver
        if letter.is_gone:
            return
        if not receiver.is_serving or receiver.name in self.cut:
            self._break(letter)
            return
        owner = receiver.owner
        letter.at.append(owner)
        work = self._serve(letter, receiver)
        self._loop.create_task(work, context=owner.context.copy())

    async def _serve(self, letter: Letter, receiver: "Process") -> None:
        answer = await ask(receiver.app, letter.method, letter.target, letter.headers, letter.body)
        self._context.run(self._answered, letter, answer)

    def _answered(self, letter: Letter, answer: Answer) -> None:
        if letter.then_after is not None:
            letter.then_after()
        if letter.gate is not None:
            letter.gate.take(lambda: self._later(self._faults.latency_s(), self._hand_over, letter, answer))
        elif letter.loses_answer or letter.receiver.name in self.cut:
            self._break(letter)
        else:
            self._later(self._faults.latency_s(), self._hand_over, letter, answer)

    def _hand_over(self, letter: Letter, answer: Answer) -> None:
        if not letter.future.done():
            letter.future.set_result(answer)

    def _break(self, letter: Letter) -> None:
        """The connection ends; now and then nobody notices."""
        if self._faults.random.random() < 0.2:
            return
        self._later(self._faults.latency_s(), self._lose, letter)

    def _lose(self, letter: Letter) -> None:
        if not letter.future.done():
            letter.future.set_exception(AnswerLostError("the service closed the connection before it had answered"))

    def forget(self, owner: Owner) -> None:
        """The process was killed: its connections break, and what it had sent may arrive or not."""
        for letter in list(self._under_way):
            if letter.owner is owner or owner in letter.at:
                if not letter.is_late:
                    self._later(self._faults.latency_s(), self._lose, letter)
            elif letter.sender is owner and not letter.at and self._faults.random.random() < 0.5:
                letter.is_gone = True


def _may_double(letter: Letter) -> bool:
    if letter.method != "POST":
        return False
    return letter.target.startswith("/internal/") or any(name == b"idempotency-key" for name, _ in letter.headers)


async def ask(app: Any, method: str, target: str, headers: Headers, body: bytes) -> Answer:
    """One request to an ASGI app, whole there and whole back."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("10.0.0.1", 1),
        "server": ("10.0.0.2", 80),
    }
    sent = False
    status, answered, chunks = 0, Headers(), list[bytes]()

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.get_running_loop().create_future()  # nobody disconnects
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, answered
        if message["type"] == "http.response.start":
            status, answered = message["status"], list(message.get("headers", ()))
        else:
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    return Answer(status, answered, b"".join(chunks))


class SimulatedExchange(Exchange):
    """An answer that came whole."""

    __slots__ = ("_rest",)

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._rest = answer.body

    def is_short(self) -> bool:
        return True

    async def chunk(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest

    async def read(self, bytes_max: int, deadline: float) -> bytes:
        return await self.chunk()

    def abort(self) -> None:
        """Nothing is open."""

    def done(self) -> None:
        """Nothing is open."""


class SimulatedUpstream(Upstream):
    """The gateway's own client down to the choice of an address; the connection is simulated."""

    def __init__(self, network: Network, owner: Owner, service: str, addresses: Sequence[Address]) -> None:
        super().__init__(service, addresses)
        self._network = network
        self._owner = owner

    async def _ask(
        self, method: str, url: URL, headers: Sequence[tuple[str, str]], body: bytes | Content, deadline: float
    ) -> Exchange:
        assert isinstance(body, bytes), "bodies come whole here"
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        if body and not any(name == b"content-length" for name, _ in raw):
            raw.append((b"content-length", str(len(body)).encode()))
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._network.request(self._owner, url.host or "", method, url.raw_path_qs, raw, body)
        except TimeoutError:
            raise AnswerTimeoutError("the service has not answered in time") from None
        return SimulatedExchange(answer)
