"""The account's life cycle, cell by cell."""

import pytest

from users.domain.life_cycle import Action, Status, allowed_actions, next_status

CELLS = {
    (Status.ACTIVE, Action.SUSPEND): Status.SUSPENDED,
    (Status.ACTIVE, Action.REACTIVATE): None,
    (Status.ACTIVE, Action.ERASE): Status.ERASED,
    (Status.SUSPENDED, Action.SUSPEND): None,
    (Status.SUSPENDED, Action.REACTIVATE): Status.ACTIVE,
    (Status.SUSPENDED, Action.ERASE): Status.ERASED,
    (Status.ERASED, Action.SUSPEND): None,
    (Status.ERASED, Action.REACTIVATE): None,
    (Status.ERASED, Action.ERASE): None,
}


def test_every_cell_is_described() -> None:
    assert set(CELLS) == {(status, action) for status in Status for action in Action}


@pytest.mark.parametrize(("cell", "leads_to"), CELLS.items())
def test_cell_leads_where_the_table_says(cell: tuple[Status, Action], leads_to: Status | None) -> None:
    assert next_status(*cell) == leads_to
    assert (cell[1] in allowed_actions(cell[0])) is (leads_to is not None)
