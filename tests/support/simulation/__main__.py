"""`python -m simulation 1-2000`, `python -m simulation 17 --trace`: runs seeds of the random workload. Status 1 if one
fails, or if one outcome of a race never occurred."""

import argparse
import sys
from collections.abc import Sequence

from simulation.runs import Totals, orphans, run_seed_the_usual_way, run_seeds
from simulation.workload import random_run, setting_of
from simulation.world import simulate

SEEDS_BEFORE_OUTCOMES_COUNT = 500
SEEDS_MAX = 100_000


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("seeds", type=parsed, help="a seed, a range such as 1-2000, or several with commas")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--trace", action="store_true", help="print every step of one seed")
    parser.add_argument("--control", action="store_true", help="the usual way on the same seeds, and what it leaves")
    given = parser.parse_args(arguments)
    seeds: list[int] = given.seeds
    if given.control:
        return control(seeds, given.processes)
    return trace(seeds[0]) if given.trace else run(seeds, given.processes)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def parsed(text: str) -> list[int]:
    """Raises ArgumentTypeError for what names no seeds, or too many."""
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()) or int(last or first) < int(first):
            raise argparse.ArgumentTypeError(f"{text!r} names no seeds: write 7, 1-200 or 1-5,9")
        seeds += range(int(first), min(int(last or first), int(first) + SEEDS_MAX) + 1)
    if len(seeds) > SEEDS_MAX:
        raise argparse.ArgumentTypeError(f"at most {SEEDS_MAX} seeds are run at once")
    return seeds


def run(seeds: Sequence[int], processes: int) -> int:
    totals = Totals()
    for one in run_seeds(seeds, processes=min(processes, len(seeds))):
        totals.add(one)
        if one.found:
            say(f"seed {one.seed} fails; replay it: make simulate SEEDS={one.seed} TRACE=1")
            for finding in one.found:
                say(f"  {finding}")
    say("\n".join(totals.lines()))
    one_sided = totals.one_sided() if totals.seeds >= SEEDS_BEFORE_OUTCOMES_COUNT else []
    for name in one_sided:
        say(f"not every outcome has occurred: {name}")
    if totals.failed or one_sided:
        return 1
    say("every seed holds")
    return 0


def control(seeds: Sequence[int], processes: int) -> int:
    """Always status 0: that it leaves orphans is the point."""
    processes = min(processes, len(seeds))
    usual = list(run_seeds(seeds, processes=processes, how=run_seed_the_usual_way))
    count = sum(map(orphans, usual))
    wrong = sum(bool(one.found) for one in usual)
    say(f"the usual way: {count} orphans, {wrong} of {len(usual)} seeds with something wrong")
    return 0


def trace(seed: int) -> int:
    (_, found), world = simulate(seed, random_run, **setting_of(seed), lines=True)
    say("\n".join(world.trace.lines))
    say(f"seed {seed}: {world.trace.digest}")
    say("\n".join(found) or "nothing is wrong")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
