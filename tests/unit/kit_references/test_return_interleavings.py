"""Every interleaving around one id: what was deleted is never there again, and each protection is needed for that."""

import pytest
from explore import explore
from return_model import MUTANTS, return_model


def test_what_was_deleted_is_never_there_again() -> None:
    verdict = explore(return_model())
    assert verdict.traces == {}
    assert verdict.states > 1_000


@pytest.mark.parametrize(("protection", "violation"), MUTANTS.items())
def test_without_a_protection_there_is_a_violation(protection: str, violation: str) -> None:
    assert violation in explore(return_model(frozenset({protection})), until_any=True).traces
