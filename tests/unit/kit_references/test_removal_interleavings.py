"""Every interleaving of operators who remove and restore a relationship and of a writer, with crashes; and that each
protection is needed."""

import pytest
from explore import explore
from removal_model import MUTANTS, removal_model


@pytest.mark.parametrize("removed", [False, True])
def test_nothing_is_committed_while_removed_and_nothing_removed_is_left_open(removed: bool) -> None:
    verdict = explore(removal_model(removed=removed))
    assert verdict.traces == {}
    assert verdict.states > 1_000


@pytest.mark.parametrize(("protection", "violation"), MUTANTS.items())
def test_without_a_protection_there_is_a_violation(protection: str, violation: str) -> None:
    found = [
        explore(removal_model(frozenset({protection}), removed=removed), until_any=True).traces
        for removed in (False, True)
    ]
    assert any(violation in traces for traces in found)
