"""Every interleaving of two workers over the ledger's own steps, with crashes: the books always come out right.

Each protection is taken away once, and the exploration must then find a broken book: it can fail.
"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from explore import explore
from ledger_model import REREAD, VERSION, Scenario, ledger_model

from staking.domain import ledger_accounts
from staking.domain.ledger import Account, Guard, Leg, Movement, Place
from staking.domain.ledger_kinds import AmountField, KindRules
from staking.domain.ledger_marks import Snapshot

AT = datetime(2026, 11, 23, tzinfo=UTC)
PLAIN = {kind: KindRules(name=kind, amounts=(AmountField("x"),)) for kind in ("a", "b", "c")}


def document(kind: str, **fields: int) -> Snapshot:
    return Snapshot(Place(kind, "1"), 1, fields, {})


def account(kind: str, field: str = "x") -> Account:
    return Account(kind, "1", field)


def movement(id_: str, *legs: tuple[Account, int], guards: tuple[Guard, ...] = ()) -> Movement:
    return Movement(id_, "test", "test", tuple(Leg(*leg) for leg in legs), AT, guards=guards)


def competing(count: int) -> tuple[Movement, ...]:
    """Each takes one from a and one from c, and gives both to b."""
    legs = ((account("a"), -1), (account("b"), 2), (account("c"), -1))
    return tuple(movement(f"m{number}", *legs) for number in range(count))


def plain(a: int, b: int, c: int) -> tuple[Snapshot, ...]:
    return (document("a", x=a), document("b", x=b), document("c", x=c))


ONE_FITS = Scenario(PLAIN, plain(1, 0, 1), competing(2), posted_max=1)
NONE_FITS = Scenario(PLAIN, plain(1, 0, 0), competing(2), posted_max=0, crashes=1)
CRASHES = Scenario(PLAIN, plain(1, 0, 1), competing(1), posted_max=1, crashes=2)

STATEMENT = {"a": KindRules(name="a", amounts=(AmountField("x"), AmountField("y")), entries=True), "b": PLAIN["b"]}
BOTH_WAYS = Scenario(
    STATEMENT,
    (document("a", x=1, y=0), document("b", x=0)),
    (
        movement("stake", (account("a", "x"), -1), (account("a", "y"), 1)),
        movement("debit", (account("a", "x"), -1), (account("b"), 1)),
    ),
    posted_max=1,
    crashes=1,
)

WATERMARK = {"a": KindRules(name="a", amounts=(AmountField("x"),), reads=("w",)), "b": PLAIN["b"]}
PAID_ONCE = Scenario(
    WATERMARK,
    (document("a", x=0, w=0), document("b", x=5)),
    tuple(
        movement(
            f"m{number}",
            (account("a"), amount),
            (account("b"), -amount),
            guards=(Guard(Place("a", "1"), expect={"w": 0}, put={"w": 1}, watermark="w"),),
        )
        for number, amount in enumerate((1, 2))
    ),
    posted_max=1,
    crashes=1,
)

SCENARIOS = {
    "two movements of which one fits": ONE_FITS,
    "two movements of which none fits, a crash": NONE_FITS,
    "one movement, two crashes": CRASHES,
    "two movements both ways at a document with a statement, a crash": BOTH_WAYS,
    "two movements that both would pay a period, a crash": PAID_ONCE,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_books_are_right_in_every_interleaving(name: str) -> None:
    verdict = explore(ledger_model(SCENARIOS[name]))
    assert verdict.traces == {}
    assert verdict.states > 500


@pytest.mark.parametrize("protection", [VERSION, REREAD])
def test_exploration_finds_what_a_protection_prevents(protection: str) -> None:
    broken = replace(NONE_FITS, crashes=0, without=frozenset({protection}))
    verdict = explore(ledger_model(broken), until_any=True)
    assert "sum broken" in verdict.traces


def test_exploration_finds_what_the_fence_of_a_refusal_prevents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_accounts, "_fences", lambda *_: False)
    verdict = explore(ledger_model(replace(NONE_FITS, crashes=0)), until_any=True)
    assert "sum broken" in verdict.traces


def test_exploration_finds_a_period_paid_twice_without_exclusion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Snapshot, "exclusive_of", lambda *_: None)
    verdict = explore(ledger_model(PAID_ONCE), until_any=True)
    assert verdict.traces
