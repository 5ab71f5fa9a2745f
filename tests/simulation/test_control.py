"""The usual way, validate and then write, check and then delete, under the same weather on the same seeds."""

from simulation.runs import orphans, run_seed, run_seed_the_usual_way

SEEDS = range(1, 16)


def test_the_usual_way_leaves_orphans_where_the_protocol_leaves_none() -> None:
    assert sum(orphans(run_seed(seed)) for seed in SEEDS) == 0
    assert sum(orphans(run_seed_the_usual_way(seed)) for seed in SEEDS) > 0
