"""The life cycle, cell by cell: every state with every action."""

import pytest

from bots.domain.bot_life_cycle import (
    DELETABLE,
    EDITABLE_IN,
    BotAction,
    BotStatus,
    allowed_actions,
    begins_run,
    ends_run,
    fields_not_editable,
    next_status,
)

TABLE = """
           start    pause   stop     fail   archive
created    running  -       -        -      archived
running    -        paused  stopped  error  -
paused     running  -       stopped  error  -
stopped    running  -       -        -      archived
error      running  -       -        -      archived
archived   -        -       -        -      -
"""
HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [(row[0], action, after) for row in ROWS for action, after in zip(HEAD, row[1:], strict=True)]


def test_the_table_has_every_state_and_every_action() -> None:
    assert {row[0] for row in ROWS} == set(BotStatus)
    assert set(HEAD) == set(BotAction)


@pytest.mark.parametrize(("status", "action", "after"), CELLS)
def test_cell(status: str, action: str, after: str) -> None:
    expected = None if after == "-" else BotStatus(after)
    assert next_status(BotStatus(status), BotAction(action)) == expected
    assert (BotAction(action) in allowed_actions(BotStatus(status))) == (expected is not None)


@pytest.mark.parametrize(("status", "action", "after"), [cell for cell in CELLS if cell[2] != "-"])
def test_a_run_lasts_from_a_start_to_a_stop_or_a_failure(status: str, action: str, after: str) -> None:
    before, then = BotStatus(status), BotStatus(after)
    assert begins_run(before, then) == (action == "start" and status != "paused")
    assert ends_run(before, then) == (action in {"stop", "fail"})


EDITS = """
                  created running paused stopped error archived
name              yes     yes     yes    yes     yes   yes
notes             yes     yes     yes    yes     yes   yes
tags              yes     yes     yes    yes     yes   yes
maxDrawdownStop   yes     yes     yes    yes     yes   no
strategy          yes     no      no     yes     yes   no
exchangeAccountId yes     no      no     yes     yes   no
"""
STATES, *FIELDS = [line.split() for line in EDITS.strip().splitlines()]


def test_the_table_of_changes_has_every_field() -> None:
    assert {row[0] for row in FIELDS} == set(EDITABLE_IN)


@pytest.mark.parametrize(
    ("field", "status", "answer"),
    [(row[0], status, answer) for row in FIELDS for status, answer in zip(STATES, row[1:], strict=True)],
)
def test_field_may_be_changed(field: str, status: str, answer: str) -> None:
    refused = fields_not_editable(BotStatus(status), frozenset({field}))
    assert refused == (() if answer == "yes" else (field,))


def test_bot_is_deleted_only_while_it_holds_no_trades() -> None:
    assert sorted(DELETABLE) == ["archived", "created", "error", "stopped"]
