"""Who may delete what, and what must still hold when it is marked. The gateway coordinates the deletes themselves."""

from collections.abc import Mapping

from kit.identity import Caller
from kit.preconditions import check_if_match
from kit.problems import Unavailable
from kit.references.deletes.deleting import DeletePlan
from kit.runtime import Runtime
from users.domain.roles import is_effective_admin
from users.operations.admins import MARK, mark_stepping_down
from users.operations.exchange_accounts import get_account
from users.operations.updates import ATTEMPTS_MAX
from users.operations.users import get_user, require_self_or_admin


async def plan_delete_user(
    runtime: Runtime, caller: Caller, path: Mapping[str, str], if_match: int | None
) -> DeletePlan:
    """Themselves or an admin, never the last admin. Raises NotFound, Forbidden, LastAdmin, VersionMismatch.

    Marked is the version that was judged: a user who is made an admin meanwhile may be the last one. An admin is
    marked as stepping down, which a refused delete leaves behind: whoever steps down next takes it away.
    """
    for _ in range(ATTEMPTS_MAX):
        user = await get_user(runtime, caller, path.get("userId", ""))
        require_self_or_admin(caller, user)
        check_if_match(if_match, user.version)
        where = {"version": user.version}
        if not is_effective_admin(user.roles, user.status):
            return DeletePlan(user.id, where, if_match)
        token = await mark_stepping_down(runtime, user)
        if token is not None:
            return DeletePlan(user.id, {**where, MARK: token}, if_match)
    raise Unavailable("The user is being changed by many at once; try again.")


async def plan_delete_account(
    runtime: Runtime, caller: Caller, path: Mapping[str, str], if_match: int | None
) -> DeletePlan:
    """Its owner, treasury and admins; bots that use it restrict it. Raises NotFound, VersionMismatch."""
    account = await get_account(runtime, caller, path.get("accountId", ""))
    check_if_match(if_match, account.version)
    return DeletePlan(account.id, version=if_match)
