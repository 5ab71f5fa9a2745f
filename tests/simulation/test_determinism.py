"""The same seed gives the same run, byte for byte, in this process and in any other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from simulation.workload import random_run, setting_of
from simulation.world import simulate

ROOT = Path(__file__).parents[2]
SEEDS = (3, 4)
PRINTS = """
import sys
from simulation.workload import random_run, setting_of
from simulation.world import simulate
for seed in map(int, sys.argv[1:]):
    print(simulate(seed, random_run, **setting_of(seed))[1].trace.digest)
"""


def digest(seed: int) -> str:
    _, world = simulate(seed, random_run, **setting_of(seed))
    return world.trace.digest


def test_a_seed_gives_the_same_run_again() -> None:
    assert [digest(seed) for seed in SEEDS] == [digest(seed) for seed in SEEDS]


def test_seeds_give_different_runs() -> None:
    assert digest(3) != digest(4)


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_a_seed_gives_the_same_run_in_another_process(hash_seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(
        [sys.executable, "-c", PRINTS, *map(str, SEEDS)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert told.stdout.split() == [digest(seed) for seed in SEEDS]
