"""Roles, and the rule that there is always an admin."""

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    """What a person or a program may do; `admin` includes `treasury`."""

    USER = "user"
    ENGINE = "engine"
    TREASURY = "treasury"
    ADMIN = "admin"


def in_order(roles: Iterable[Role]) -> list[Role]:
    """Each role once, in the order of their declaration."""
    given = set(roles)
    return [role for role in Role if role in given]


def is_effective_admin(roles: Iterable[str], status: str) -> bool:
    """Whether somebody with these roles and this status can act as an admin now."""
    return Role.ADMIN in set(roles) and status == "active"


def gives_up_admin(
    *, roles_before: Iterable[str], status_before: str, roles_after: Iterable[str], status_after: str
) -> bool:
    """Whether a change takes an admin away, so that another one must remain."""
    return is_effective_admin(roles_before, status_before) and not is_effective_admin(roles_after, status_after)
