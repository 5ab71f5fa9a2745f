"""Suspending and reactivating accounts."""

from typing import Any

from kit.identity import Caller
from kit.preconditions import check_if_match
from kit.problems import IllegalTransition
from kit.runtime import Runtime
from users.documents.users import User
from users.domain.life_cycle import Action, Status, allowed_actions, next_status
from users.domain.roles import Role, gives_up_admin
from users.operations.admins import save_stepping_down
from users.operations.updates import decide_and_save, save
from users.operations.users import get_user


async def change_status(
    runtime: Runtime,
    caller: Caller,
    user_id: str,
    action: Action,
    *,
    reason: str | None,
    action_id: str,
    if_match: int | None,
) -> User:
    """Take a user through their life cycle, for admins. A suspension ends all sessions.

    Done once for an action id. Raises Forbidden, NotFound, IllegalTransition, LastAdmin, VersionMismatch.
    """
    caller.require_role(Role.ADMIN)

    async def attempt() -> User | None:
        user = await get_user(runtime, caller, user_id)
        if user.last_action_id == action_id:
            return user
        check_if_match(if_match, user.version)
        status = status_after(user, action)
        return await _save_status(runtime, user, status, reason=reason, action_id=action_id)

    return await decide_and_save(attempt, if_match=if_match)


def status_after(user: User, action: Action) -> Status:
    """Where the action leads. Raises IllegalTransition."""
    status = next_status(user.status, action)
    if status is None:
        allowed = [str(one) for one in allowed_actions(user.status)]
        raise IllegalTransition(
            f"'{action}' is not allowed while the account is {user.status}.",
            from_=str(user.status),
            action=str(action),
            allowed=allowed,
        )
    return status


async def _save_status(
    runtime: Runtime, user: User, status: Status, *, reason: str | None, action_id: str
) -> User | None:
    changes: dict[str, Any] = {"status": status.value, "lastActionId": action_id}
    if reason is not None:
        changes["statusReason"] = reason
    unset = [] if reason is not None else ["statusReason"]
    ends_sessions = {"sessionEpoch": 1} if status is Status.SUSPENDED else None
    if gives_up_admin(roles_before=user.roles, status_before=user.status, roles_after=user.roles, status_after=status):
        return await save_stepping_down(runtime, user, changes, unset=unset, add=ends_sessions)
    return await save(runtime, user, changes, unset=unset, add=ends_sessions)
