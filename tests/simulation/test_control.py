"""The usual way, validate and then write, check and then delete, under the same weather on the same seeds."""

from simulation.checks import DANGLING
from simulation.mutants import naive, replaced
from simulation.runs import run_seed

SEEDS = range(1, 16)


def orphans() -> int:
    return sum(one.startswith(DANGLING) for seed in SEEDS for one in run_seed(seed).found)


def test_the_usual_way_leaves_orphans_where_the_protocol_leaves_none() -> None:
    assert orphans() == 0
    with replaced(naive()):
        assert orphans() > 0
