"""The random workload over a few seeds; `make simulate SEEDS=…` runs many."""

from simulation.runs import Totals, run_seed

SEEDS = range(1, 31)
STEPS_PER_SEED_MIN = 200


def test_whatever_the_order_nothing_dangles_nothing_is_stuck_and_every_answer_is_true() -> None:
    totals = Totals()
    for seed in SEEDS:
        one = run_seed(seed)
        assert one.found == [], f"replay it: make simulate SEEDS={seed} TRACE=1"
        assert one.counts["store"] + one.counts["hop"] >= STEPS_PER_SEED_MIN
        totals.add(one)
    assert totals.counts["kill"] > len(SEEDS)
    assert totals.tally.deletes.keys() >= {"202", "204", "409"}
    assert totals.tally.others.keys() >= {"200", "201", "409", "422"}
