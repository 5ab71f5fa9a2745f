"""Roles are a set in a fixed order, and giving up the admin's role is noticed."""

import pytest

from users.domain.roles import Role, gives_up_admin, in_order, is_effective_admin


def test_roles_are_listed_once_and_in_order() -> None:
    assert in_order([Role.ADMIN, Role.USER, Role.ADMIN]) == [Role.USER, Role.ADMIN]


@pytest.mark.parametrize(
    ("roles", "status", "effective"),
    [
        (["admin"], "active", True),
        (["user", "admin"], "active", True),
        (["admin"], "suspended", False),
        (["admin"], "erased", False),
        (["treasury"], "active", False),
        ([], "active", False),
    ],
)
def test_only_an_active_admin_counts(roles: list[str], status: str, effective: bool) -> None:
    assert is_effective_admin(roles, status) is effective


@pytest.mark.parametrize(
    ("before", "after", "gives_up"),
    [
        ((["admin"], "active"), (["user"], "active"), True),
        ((["admin"], "active"), (["admin"], "suspended"), True),
        ((["admin"], "active"), (["admin", "user"], "active"), False),
        ((["admin"], "suspended"), (["user"], "suspended"), False),
        ((["user"], "active"), (["admin"], "active"), False),
        ((["user"], "active"), (["user"], "suspended"), False),
    ],
)
def test_change_that_takes_an_admin_away_is_noticed(
    before: tuple[list[str], str], after: tuple[list[str], str], gives_up: bool
) -> None:
    found = gives_up_admin(roles_before=before[0], status_before=before[1], roles_after=after[0], status_after=after[1])
    assert found is gives_up
