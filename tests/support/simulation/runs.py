"""Many seeds of the random workload, in several processes, and what came of them."""

import multiprocessing
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from simulation.checks import DANGLING
from simulation.mutants import naive, replaced
from simulation.workload import ALL_RACES, Tally, random_run, setting_of
from simulation.world import simulate

BOTH = ("deleted", "refused", "written")
"""What must have come of every race, over the seeds: the delete won, a write came too late, a write was in time."""


@dataclass
class SeedResult:
    seed: int
    found: list[str]
    tally: Tally
    counts: Counter[str]
    seconds: float
    digest: str = ""


@dataclass
class Totals:
    seeds: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    tally: Tally = field(default_factory=Tally)
    failed: dict[int, list[str]] = field(default_factory=dict)

    def add(self, one: SeedResult) -> None:
        self.seeds += 1
        self.seconds += one.seconds
        self.counts += one.counts
        self.tally.merge(one.tally)
        if one.found:
            self.failed[one.seed] = one.found

    @property
    def steps(self) -> int:
        return self.counts["store"] + self.counts["hop"]

    def one_sided(self) -> list[str]:
        """The races of which not every outcome has occurred."""
        return [name for name in ALL_RACES if not self.tally.races.get(name, set()).issuperset(BOTH)]

    def lines(self) -> Iterator[str]:
        deletes, others = self.tally.deletes, self.tally.others
        yield (
            f"{self.seeds} seeds, {self.steps} steps ({self.counts['store']} store operations, {self.counts['hop']} "
            f"hops), {self.counts['kill']} kills, {self.counts['fault']} faults, {self.seconds:.0f} s of processor time"
        )
        yield "deletes: " + ", ".join(f"{word} {count}" for word, count in sorted(deletes.items()))
        yield "writes against them: " + ", ".join(f"{word} {count}" for word, count in sorted(others.items()))
        for name in ALL_RACES:
            yield f"  {name}: {', '.join(sorted(self.tally.races.get(name, set()))) or 'not met'}"


def run_seed(seed: int) -> SeedResult:
    began = time.process_time()
    try:
        (tally, found), world = simulate(seed, random_run, **setting_of(seed))
    except Exception:  # noqa: BLE001 (it is this seed's failure)
        found = [f"the run itself failed: {traceback.format_exc(limit=-4)}"]
        return SeedResult(seed, found, Tally(), Counter(), time.process_time() - began)
    return SeedResult(seed, found, tally, world.trace.counts, time.process_time() - began, world.trace.digest)


def run_seed_the_usual_way(seed: int) -> SeedResult:
    """The control: validate, then write; check, then delete."""
    with replaced(naive()):
        return run_seed(seed)


def orphans(result: SeedResult) -> int:
    return sum(one.startswith(DANGLING) for one in result.found)


def run_seeds(
    seeds: Iterable[int], *, processes: int = 2, how: Callable[[int], SeedResult] = run_seed
) -> Iterator[SeedResult]:
    """In whatever order they end."""
    if processes == 1:
        yield from map(how, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(how, seeds, chunksize=4)
