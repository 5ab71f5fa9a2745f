"""What happened, in order: its digest always, its lines when they are wanted."""

import hashlib
from collections import Counter

from simulation.loop import SimulatedLoop


class Trace:
    def __init__(self, loop: SimulatedLoop, *, lines: bool = False) -> None:
        self._loop = loop
        self._digest = hashlib.sha256()
        self.keeps_lines = lines
        self.lines: list[str] = []
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, text: str) -> None:
        self.counts[kind] += 1
        line = f"{self._loop.now - 1000:11.6f} {kind:5} {text}"
        self._digest.update(line.encode())
        if self.keeps_lines:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    @property
    def steps(self) -> int:
        return self.counts["store"] + self.counts["hop"]
