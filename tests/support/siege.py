"""Processes kill themselves at one step after the other, or are killed from outside, while clients go on; each is
started again at once. After every round the clients rest, and what is stored is checked."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from api import sign_in
from parts import Parts
from processes import POLL_S
from rest import Found, entities_here, found_at_rest
from scenes import import_markets
from turmoil import Family, Turmoil, broken_promises

from bench.parents import make_in
from kit.store import StoreClient

FAMILIES = 500
FAMILIES_LOW = 200
REACHED_S = 40.0
READY_S = 40.0
REST_S = 45.0
MORE_CREATES = 10
OUTSIDE = "from outside"


@dataclass
class Round:
    """Who was killed at which point, what clients were told meanwhile, and what was wrong afterwards."""

    kills: list[tuple[str, str]] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    intents: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        killed = ", ".join(f"{name} at {point}" for name, point in self.kills)
        return (
            f"{self.seconds:.1f} s: {killed}; {self.told.total()} answers, {self.intents} intents reaped; {self.faults}"
        )


class Siege:
    """`points`: for each process where it kills itself, in this order; it is started with the first."""

    def __init__(self, parts: Parts, points: Mapping[str, Sequence[str]], seed: int = 1) -> None:
        self._parts = parts
        self._waiting = {name: deque(of_its) for name, of_its in points.items()}
        self._armed = {name: waiting.popleft() for name, waiting in self._waiting.items()}
        self._random = random.Random(seed)
        self._families: list[Family] = []
        self._used: list[Family] = []
        self._token = ""
        self.rounds: list[Round] = []

    def up(self) -> None:
        self._parts.up(self._armed)
        admin = sign_in(self._parts.gateway_url, *self._parts.admin)
        import_markets(admin, "binance")
        self._token = admin.token or ""

    def run_points(self) -> None:
        """Rounds until every point was come to, or given up."""
        while self._armed:
            self._round(dict(self._armed))

    def run_outside(self, victims: Sequence[str]) -> None:
        """A round in which each of these is killed at a moment of no particular kind."""
        self._round({}, victims)

    def _round(self, wanted: Mapping[str, str], victims: Sequence[str] = ()) -> None:
        began, this = time.monotonic(), Round()
        self.rounds.append(this)
        self._refill()
        with Turmoil(self._parts.gateway_urls, self._token, self._families, seed=len(self.rounds)) as turmoil:
            for victim in victims:
                time.sleep(self._random.uniform(0.3, 1.2))
                self._parts.kill(victim)
                this.kills.append((victim, OUTSIDE))
                self._parts.begin(victim)
                self._until_ready(this)
            self._until_reached(wanted, this)
            self._until_ready(this)
            self._until_more_creates(turmoil, this)
        self._used += turmoil.used
        this.told = turmoil.told
        this.faults += turmoil.unexpected
        self._check(this)
        this.seconds = time.monotonic() - began

    def _until_reached(self, wanted: Mapping[str, str], this: Round) -> None:
        give_up_at = time.monotonic() + REACHED_S
        while any(self._armed.get(name) == point for name, point in wanted.items()):
            self._bury(this)
            if time.monotonic() > give_up_at:
                for name, point in wanted.items():
                    if self._armed.get(name) == point:
                        this.faults.append(f"{name} never came to {point}")
                        self._parts.kill(name)
                        self._begin(name)
                return
            time.sleep(POLL_S)

    def _until_ready(self, this: Round) -> None:
        """Whoever died meanwhile is started again too."""
        give_up_at = time.monotonic() + READY_S
        while time.monotonic() < give_up_at:
            self._bury(this)
            if all(self._is_up(name) for name in self._parts.running()):
                return
            time.sleep(POLL_S)
        this.faults.append(f"not everything was ready within {READY_S:g} s")

    def _is_up(self, name: str) -> bool:
        try:
            return self._parts.is_alive(name) and self._parts.is_ready(name)
        except AssertionError:  # it has ended in this moment
            return False

    def _until_more_creates(self, turmoil: Turmoil, this: Round) -> None:
        wanted = turmoil.count("create: 201") + MORE_CREATES
        give_up_at = time.monotonic() + READY_S
        while turmoil.count("create: 201") < wanted:
            self._bury(this)
            if time.monotonic() > give_up_at:
                this.faults.append(f"no {MORE_CREATES} creates more within {READY_S:g} s")
                return
            time.sleep(POLL_S)

    def _bury(self, this: Round) -> None:
        """Start those again that have killed themselves, each with its next point."""
        for name, point in list(self._armed.items()):
            if self._parts.has_killed_itself(name):
                this.kills.append((name, point))
                self._begin(name)

    def _begin(self, name: str) -> None:
        points = self._waiting[name]
        if points:
            self._armed[name] = points.popleft()
            self._parts.begin(name, FAULT_POINT=self._armed[name])
        else:
            self._armed.pop(name, None)
            self._parts.begin(name)

    def _check(self, this: Round) -> None:
        found = self._at_rest(this)
        this.intents = found.intents
        this.faults += [f"unfinished: {one}" for one in found.unfinished]
        this.faults += [f"an intent is left: {one}" for one in found.joined.intents]
        this.faults += [f"dangling: {one}" for one in found.joined.dangling]
        this.faults += broken_promises(self._used, found.users, found.accounts, found.bots)

    def _at_rest(self, this: Round) -> Found:
        """Recovery may come to armed points too: whoever dies is started again until all is at rest."""
        entities = entities_here()
        give_up_at = time.monotonic() + REST_S
        while True:
            self._until_ready(this)
            kills = len(this.kills)
            found = asyncio.run(found_at_rest(self._parts.store_url, self._parts.prefix, entities, 1.0))
            self._bury(this)
            if time.monotonic() > give_up_at or (not found.unfinished and len(this.kills) == kills):
                return found

    def _refill(self) -> None:
        if len(self._families) < FAMILIES_LOW:
            self._families += [Family(*one) for one in asyncio.run(self._made())]

    async def _made(self) -> list[tuple[str, str]]:
        client = await StoreClient.connect(self._parts.store_url)
        try:
            return await make_in(client.database(f"{self._parts.prefix}_users"), FAMILIES)
        finally:
            await client.close()
