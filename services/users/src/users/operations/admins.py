"""An admin stops being one, or goes, only while another remains, whoever else is stepping down at the same time.

No store here locks two documents at once, so a change that takes an admin away goes in three steps, each on one
document: mark the admin as stepping down; look for another active admin without a mark; commit, on the mark, or take
it back. Of two who step down at once, at least the second to be marked sees the other's mark, so that not both find
another admin. A mark that is in the way, left by a crash or by somebody slower, is taken away on its token: its
owner's commit then misses and that decision is made again. No clock decides anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kit.ids import new_id
from kit.references.slots import NOT_IN_DELETION
from kit.runtime import Runtime
from users.documents.users import User
from users.domain.life_cycle import Status
from users.domain.roles import Role
from users.operations.updates import save
from users.problems import LastAdmin

MARK = "stepDownToken"
MARKED_MAX = 200

ACTIVE_ADMIN = {"roles": Role.ADMIN.value, "status": Status.ACTIVE.value, **NOT_IN_DELETION}
"""One whose delete may still be refused doesn't count either."""


async def save_stepping_down(
    runtime: Runtime,
    user: User,
    changes: Mapping[str, Any],
    *,
    unset: Sequence[str] = (),
    add: Mapping[str, int] | None = None,
) -> User | None:
    """Save changes that end this user's time as an admin; None if a decision must be made again.

    Raises LastAdmin if there is no other active admin, having changed nothing.
    """
    token = await mark_stepping_down(runtime, user)
    if token is None:
        return None
    return await save(runtime, user, changes, unset=[*unset, MARK], where={MARK: token}, add=add)


async def mark_stepping_down(runtime: Runtime, user: User) -> str | None:
    """The first two steps: the token on which the third must be conditional; None if the user has moved on.

    Raises LastAdmin if there is no other active admin, having changed nothing.
    """
    users = runtime.store.collection(User)
    token = new_id()
    if not await users.update({"_id": user.id, "version": user.version}, {"$set": {MARK: token}}):
        return None
    if not await _another_remains(runtime, user.id):
        await users.update({"_id": user.id, MARK: token}, {"$unset": {MARK: ""}})
        raise LastAdmin("Make somebody else an admin first.")
    return token


async def _another_remains(runtime: Runtime, user_id: str) -> bool:
    users = runtime.store.collection(User)
    others = {**ACTIVE_ADMIN, "_id": {"$ne": user_id}}
    if await users.exists({**others, MARK: {"$exists": False}}):
        return True
    marked = await users.find({**others, MARK: {"$exists": True}}, limit=MARKED_MAX)
    for other in marked:
        await users.update({"_id": other.id, MARK: other.step_down_token}, {"$unset": {MARK: ""}})
    return bool(marked) and await users.exists({**others, MARK: {"$exists": False}})
