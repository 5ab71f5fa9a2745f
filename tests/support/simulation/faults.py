"""What goes wrong, and when: rules that a scenario orders, and the weather, which is rolled for every step."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

STORE = "store"
HOP = "hop"


@dataclass(frozen=True, slots=True)
class Point:
    """A step of somebody's: an operation on a collection (`what`, `where`), or a request ("POST /v1/bots") to a
    process."""

    kind: str
    process: str
    what: str
    where: str
    writes: bool


@dataclass
class Gate:
    """Holds what comes to it until it is opened. `reached` is set by the first."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: list[Callable[[], None]] = field(default_factory=list)
    is_open: bool = False

    def take(self, go_on: Callable[[], None]) -> None:
        self.reached.set()
        if self.is_open:
            go_on()
        else:
            self.waiting.append(go_on)

    def open(self) -> None:
        self.is_open = True
        waiting, self.waiting = self.waiting, []
        for go_on in waiting:
            go_on()


@dataclass
class Rule:
    """What becomes of the next `times` steps that it is about, after `skip` of them.

    "refuse" and "drop": never executed, which the sender can't know. "lose": executed, the answer is lost. "late": the
    answer is lost, and it is executed some time later; "late-gate": when `gate` is opened. "hold": waits at `gate`
    before it is executed, "hold-answer" after that. "double": delivered twice. "pass": nothing happens to it.
    `then` is called when the rule strikes, before the step; of an "after" when it was executed, before the answer
    goes."""

    fate: str
    kind: str | None = None
    process: str | None = None
    what: str | None = None
    where: str | None = None
    skip: int = 0
    times: int = 1
    then: Callable[[], None] | None = None
    gate: Gate = field(default_factory=Gate)
    struck: int = 0

    def takes(self, point: Point) -> bool:
        if self.times <= 0 or self.kind not in (None, point.kind):
            return False
        if self.process is not None and not point.process.startswith(self.process):
            return False
        if self.what is not None and self.what not in point.what:
            return False
        if self.where is not None and not point.where.startswith(self.where):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        self.struck += 1
        return True


@dataclass(frozen=True)
class Weather:
    """Probabilities for each step."""

    slow: float = 0.02
    stalled: float = 0.0
    """Of the steps of guarded writes: held up for as long as a delete takes."""
    store_refused: float = 0.0
    store_lost: float = 0.0
    store_late: float = 0.0
    store_dropped: float = 0.0
    hop_lost: float = 0.0
    hop_dropped: float = 0.0
    hop_late: float = 0.0
    hop_doubled: float = 0.0


CALM = Weather()
ROUGH = Weather(
    slow=0.05,
    stalled=0.15,
    store_refused=0.004,
    store_lost=0.008,
    store_late=0.008,
    store_dropped=0.004,
    hop_lost=0.015,
    hop_dropped=0.01,
    hop_late=0.01,
    hop_doubled=0.03,
)
LATE_S_MAX = 40.0
STALLED_S_MAX = 4.0
GUARDED_WRITES = frozenset({"insert_many", "update_many", "bulk_write"})
OTHERS = ("idempotency_", "reference_", "movements", "system_", "ledger_", "bot_events")
"""Collections whose writes are not guarded ones."""


class Faults:
    def __init__(self, source: random.Random) -> None:
        self.random = source
        self.weather = CALM
        self.rules: list[Rule] = []

    def add(self, rule: Rule) -> Rule:
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """From now on everything goes well; what is held goes on."""
        self.weather = CALM
        rules, self.rules = self.rules, []
        for rule in rules:
            rule.gate.open()

    def strike(self, point: Point, *, may_double: bool = False) -> Rule | None:
        """What becomes of a step; None if nothing does."""
        for rule in self.rules:
            if rule.takes(point):
                return rule
        fate = self._rolled(point, may_double=may_double)
        return None if fate is None else Rule(fate)

    def _rolled(self, point: Point, *, may_double: bool) -> str | None:
        roll, weather = self.random.random(), self.weather
        if point.kind == STORE:
            # A read is as good as never sent when its answer is lost.
            odds = [("refuse", weather.store_refused), ("drop", weather.store_dropped)]
            if point.writes:
                odds += [("lose", weather.store_lost), ("late", weather.store_late)]
        else:
            odds = [("lose", weather.hop_lost), ("drop", weather.hop_dropped), ("late", weather.hop_late)]
            if may_double:
                odds.append(("double", weather.hop_doubled))
        for fate, chance in odds:
            if roll < chance:
                return fate
            roll -= chance
        return None

    def way_s(self, point: Point) -> float:
        """How long an operation is on its way to the store."""
        is_guarded = point.what in GUARDED_WRITES and not point.where.startswith(OTHERS)
        if is_guarded and self.random.random() < self.weather.stalled:
            return self.random.uniform(0.2, STALLED_S_MAX)
        return self.latency_s()

    def latency_s(self) -> float:
        if self.random.random() < self.weather.slow:
            return self.random.uniform(0.02, 1.5)
        return self.random.uniform(0.0002, 0.01)

    def late_s(self) -> float:
        return self.random.uniform(0.01, 1.0) if self.random.random() < 0.6 else self.random.uniform(1.0, LATE_S_MAX)
