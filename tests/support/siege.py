"""Processes kill themselves at one step after the other, or are killed from outside, while clients go on; each is
started again at once. After every round the clients rest, and what is stored is checked."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from api import sign_in
from parts import START_S, Parts
from processes import POLL_S, until
from rest import entities_here, found_at_rest
from scenes import import_markets
from turmoil import Family, Turmoil, broken_promises

from bench.parents import make_in
from kit.store import StoreClient

FAMILIES = 500
FAMILIES_LOW = 500
REACHED_S = 60.0
# Some steps are for deletes that take their time: until one is reached, the children's service stops now and then.
SLOW_EVERY_S = 4.0
SLOW_S = 1.5
SLOW = "bots"
MORE_S = 30.0
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
    """Of a platform that is up."""

    def __init__(self, parts: Parts, seed: int = 1) -> None:
        self._parts = parts
        self._armed: dict[str, str] = {}
        self._random = random.Random(seed)
        self._families: list[Family] = []
        self._used: list[Family] = []
        admin = sign_in(parts.gateway_url, *parts.admin)
        import_markets(admin, "binance")
        self._token = admin.token or ""
        self.rounds: list[Round] = []

    def run_points(self, points: Mapping[str, str]) -> None:
        """A round in which each of these processes kills itself at its point."""
        self._armed = dict(points)
        for name, point in points.items():
            self._parts.kill(name)
            self._parts.begin(name, FAULT_POINT=point)
        for name in points:
            until(partial(self._is_up_or_dead, name), f"{name} was not ready", START_S)
        self._round()

    def run_outside(self, victims: Sequence[str]) -> None:
        """A round in which each of these is killed at a moment of no particular kind."""
        self._round(victims)

    def _round(self, victims: Sequence[str] = ()) -> None:
        began, this = time.monotonic(), Round()
        self.rounds.append(this)
        self._refill()
        with Turmoil(self._parts.gateway_urls, self._token, self._families, seed=len(self.rounds)) as turmoil:
            for victim in victims:
                time.sleep(self._random.uniform(0.3, 1.2))
                self._parts.kill(victim)
                this.kills.append((victim, OUTSIDE))
                self._parts.start(victim)
            self._until_reached(this)
            self._until_more_creates(turmoil, this)
        self._used += turmoil.used
        this.told = turmoil.told
        this.faults += turmoil.unexpected
        self._check(this)
        this.seconds = time.monotonic() - began

    def _until_reached(self, this: Round) -> None:
        """Who has killed itself is started again, without a point."""
        began = slow_at = time.monotonic()
        while self._armed and time.monotonic() < began + REACHED_S:
            if time.monotonic() > slow_at + SLOW_EVERY_S:
                with self._parts.frozen(*self._parts.replicas(SLOW)):
                    time.sleep(SLOW_S)
                slow_at = time.monotonic()
            for name in [name for name in self._armed if self._parts.has_killed_itself(name)]:
                this.kills.append((name, self._armed.pop(name)))
                self._parts.begin(name)
            time.sleep(POLL_S)
        for name, point in self._armed.items():
            this.faults.append(f"{name} never came to {point}")
            self._parts.kill(name)
            self._parts.begin(name)
        self._parts.until_ready(*self._parts.running())

    def _is_up_or_dead(self, name: str) -> bool:
        """What the round before left to be finished may have led it to its point already."""
        try:
            return self._parts.is_ready(name)
        except AssertionError:
            return self._parts.has_killed_itself(name)

    def _until_more_creates(self, turmoil: Turmoil, this: Round) -> None:
        wanted = turmoil.count("create: 201") + MORE_CREATES
        give_up_at = time.monotonic() + MORE_S
        while turmoil.count("create: 201") < wanted:
            if time.monotonic() > give_up_at:
                this.faults.append(f"no {MORE_CREATES} creates more within {MORE_S:g} s")
                return
            time.sleep(POLL_S)

    def _check(self, this: Round) -> None:
        url, prefix = self._parts.store_url, self._parts.prefix
        found = asyncio.run(found_at_rest(url, prefix, entities_here(), REST_S))
        this.intents = found.intents
        this.faults += [f"unfinished: {one}" for one in found.unfinished]
        this.faults += [f"an intent is left: {one}" for one in found.joined.intents]
        this.faults += [f"dangling: {one}" for one in found.joined.dangling]
        this.faults += broken_promises(self._used, found.users, found.accounts, found.bots)

    def _refill(self) -> None:
        if len(self._families) < FAMILIES_LOW:
            self._families += [Family(*one) for one in asyncio.run(self._made())]

    async def _made(self) -> list[tuple[str, str]]:
        client = await StoreClient.connect(self._parts.store_url)
        try:
            return await make_in(client.database(f"{self._parts.prefix}_users"), FAMILIES)
        finally:
            await client.close()
