"""With one protection off, the simulation finds the violation that the protocol's models predict, on the seeds on which
nothing is wrong with all of them on."""

import pytest
from simulation import hunts
from simulation.checks import DANGLING, HALF, LOST, STUCK, UNDEAD, kinds
from simulation.mutants import MUTANTS, replaced
from simulation.stage import Scenario
from simulation.world import simulate

SEEDS = (1, 2, 3)

PREDICTED: dict[str, tuple[Scenario, str]] = {
    "closure": (hunts.late_insert, DANGLING),
    "intent": (hunts.late_insert, DANGLING),
    "epoch": (hunts.late_insert, DANGLING),
    "voiding": (hunts.late_commit, DANGLING),
    "token": (hunts.commit_of_an_older_sending, DANGLING),
    "conditional commit": (hunts.voided_by_a_refused_delete, LOST),
    "purge": (hunts.started_before_the_mark, HALF),
    "overtaking by force": (hunts.parents_under_a_cascade, DANGLING),
    "stored plan": (hunts.coordinator_dies_after_the_purge_was_decided, DANGLING),
    "healing": (hunts.started_before_the_mark, STUCK),
    "registration before validation": (hunts.deleted_plainly, DANGLING),
    "answers kept per relationship": (hunts.registry_forgot, DANGLING),
    "digest": (hunts.older_replica, DANGLING),
    "majority look-up": (hunts.stale_primary, DANGLING),
    "slot of a change": (hunts.started_behind_the_count, HALF),
    "own id": (hunts.deleted_before_its_creator_looks_again, UNDEAD),
    "reaper": (hunts.killed_between_insert_and_commit, STUCK),
    "sweeper": (hunts.coordinator_dies_after_the_purge_was_decided, STUCK),
}
ON_A_CLUSTER = {hunts.stale_primary}


def found(scenario: Scenario, seed: int) -> set[str]:
    return kinds(simulate(seed, scenario, is_cluster=scenario in ON_A_CLUSTER)[0])


SCENARIOS = list(dict.fromkeys(scenario for scenario, _ in PREDICTED.values()))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[one.__name__ for one in SCENARIOS])
def test_with_every_protection_nothing_is_wrong(scenario: Scenario) -> None:
    assert [found(scenario, seed) for seed in SEEDS] == [set()] * len(SEEDS)


@pytest.mark.parametrize("name", PREDICTED)
def test_without_one_protection_it_is_found(name: str) -> None:
    scenario, predicted = PREDICTED[name]
    with replaced(MUTANTS[name]()):
        assert any(predicted in found(scenario, seed) for seed in SEEDS)


def test_every_switch_is_tried() -> None:
    assert PREDICTED.keys() == MUTANTS.keys()
