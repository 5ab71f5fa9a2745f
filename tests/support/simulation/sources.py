"""Everything that is random or tells the time in the code under test, from one seed and the loop's time."""

import os
import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from simulation.loop import SimulatedLoop

import gateway.discovery
import kit.ids
from kit.clock import cut_to_milliseconds

BEGIN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class VirtualClock:
    """The clock of one process; `skew_s` is how wrong it goes. It is monotonic by the loop's time, as a real one is."""

    def __init__(self, loop: SimulatedLoop | None = None) -> None:
        self.loop = loop
        self.skew_s = 0.0

    def now(self) -> datetime:
        assert self.loop is not None
        return cut_to_milliseconds(BEGIN + timedelta(seconds=self.loop.now + self.skew_s))

    def monotonic(self) -> float:
        assert self.loop is not None
        return self.loop.now


class _Identifiers:
    """UUIDv7 in the order of their making."""

    def __init__(self, loop: SimulatedLoop, source: random.Random) -> None:
        self._loop = loop
        self._random = source
        self._count = 0

    def __call__(self) -> UUID:
        self._count += 1
        milliseconds = int((BEGIN + timedelta(seconds=self._loop.now)).timestamp() * 1000)
        value = (milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | (self._count & 0xFFF) << 64
        return UUID(int=value | 0b10 << 62 | (self._count >> 12) << 48 & (2**62 - 1) | self._random.getrandbits(48))


@contextmanager
def seeded(seed: int, loop: SimulatedLoop) -> Iterator[None]:
    source = random.Random(f"sources {seed}")
    state = random.getstate()
    random.seed(f"global {seed}")
    replaced: list[tuple[Any, str, Any]] = [
        (kit.ids, "uuid7", _Identifiers(loop, source)),
        (os, "urandom", source.randbytes),
        (secrets, "token_bytes", lambda size=32: source.randbytes(size)),
        (secrets, "token_hex", lambda size=32: source.randbytes(size).hex()),
        (gateway.discovery, "_random", source),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in replaced]
    for owner, name, value in replaced:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
        random.setstate(state)
