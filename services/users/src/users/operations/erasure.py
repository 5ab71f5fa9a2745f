"""Erasing a user: personal data and credentials go, the id stays, so that what refers to it stays valid.

The account is closed first, in one write that leaves nothing personal in it and says that more is to be wiped; then its
sessions and its exchange accounts. Whoever comes next goes on where a crash left off: a retry, another call, or the
worker. Who links an account at that moment looks at its owner once more afterwards, so that one of the two wipes it.
"""

from datetime import timedelta
from typing import Any

from kit.identity import Caller
from kit.preconditions import check_if_match
from kit.runtime import Runtime
from users.documents.exchange_accounts import ExchangeAccount
from users.documents.refresh_tokens import RefreshToken
from users.documents.users import User
from users.domain.erasure import ACCOUNT_REASON, NO_HASH, erased_email, erased_key
from users.domain.exchange_accounts import ValidityStatus
from users.domain.life_cycle import Action, Status
from users.domain.roles import Role, is_effective_admin
from users.operations.account_status import status_after
from users.operations.admins import save_stepping_down
from users.operations.updates import decide_and_save, save
from users.operations.users import get_user, require_self_or_admin

BATCH_MAX = 500
BATCHES_MAX = 20
USERS_MAX = 100
SETTLED_AFTER = timedelta(minutes=10)
"""Longer than any request runs: whoever began to link an account before the erase, and died before looking at its owner
again, has linked it by then. The worker looks until then."""
NOT_ERASED = {"isErased": {"$exists": False}}


async def erase_user(runtime: Runtime, caller: Caller, user_id: str, *, action_id: str, if_match: int | None) -> User:
    """Wipe a user, for themselves and admins. Done once for an action id; every call finishes what another began.

    Raises NotFound, Forbidden, IllegalTransition, LastAdmin, VersionMismatch.
    """

    async def attempt() -> User | None:
        user = await get_user(runtime, caller, user_id)
        require_self_or_admin(caller, user)
        if user.status is Status.ERASED:
            await wipe(runtime, user.id)
        if user.last_action_id == action_id:
            return user
        check_if_match(if_match, user.version)
        status_after(user, Action.ERASE)
        return await _close(runtime, user, action_id)

    user = await decide_and_save(attempt, if_match=if_match)
    await wipe(runtime, user.id)
    return user


async def finish_erasures(runtime: Runtime) -> None:
    """What the worker does: at most USERS_MAX users a run. Replicas may do it at once."""
    users = runtime.store.collection(User)
    settled_before = runtime.clock.now() - SETTLED_AFTER
    for user in await users.find({"erasureOpen": True}, sort=[("_id", 1)], limit=USERS_MAX):
        is_wiped = await wipe(runtime, user.id)
        if is_wiped and user.erased_at is not None and user.erased_at <= settled_before:
            await users.update({"_id": user.id}, {"$unset": {"erasureOpen": ""}})


async def wipe(runtime: Runtime, user_id: str) -> bool:
    """End an erased user's sessions and empty their exchange accounts. False: there were too many for one go, and the
    worker does the rest."""
    families = runtime.store.collection(RefreshToken)
    for _ in range(BATCHES_MAX):
        # Nobody refers to a refresh token: it may go without further ado.
        if await families.delete_many({"userId": user_id}, limit=BATCH_MAX) < BATCH_MAX:
            return await _wipe_accounts(runtime, user_id)
    return False


async def is_erased(runtime: Runtime, user_id: str) -> bool:
    return await runtime.store.collection(User).exists({"_id": user_id, "status": Status.ERASED.value})


async def _close(runtime: Runtime, user: User, action_id: str) -> User | None:
    changes: dict[str, Any] = {
        "status": Status.ERASED.value,
        "email": erased_email(user.id),
        "displayName": "",
        "passwordHash": NO_HASH,
        "roles": [Role.USER.value],
        "lastActionId": action_id,
        "erasedAt": runtime.clock.now(),
        "erasureOpen": True,
    }
    ends_sessions = {"sessionEpoch": 1}
    if is_effective_admin(user.roles, user.status):
        return await save_stepping_down(runtime, user, changes, unset=["statusReason"], add=ends_sessions)
    return await save(runtime, user, changes, unset=["statusReason"], add=ends_sessions)


async def _wipe_accounts(runtime: Runtime, user_id: str) -> bool:
    accounts = runtime.store.collection(ExchangeAccount)
    for _ in range(BATCHES_MAX):
        page = await accounts.rows({"userId": user_id, **NOT_ERASED}, fields=["_id"], limit=BATCH_MAX)
        for row in page:
            await _wipe_account(runtime, row["_id"])
        if len(page) < BATCH_MAX:
            return True
    return False


async def _wipe_account(runtime: Runtime, account_id: str) -> None:
    """On whatever version it has. That grows, so that a change which was decided before finds another."""
    now = runtime.clock.now()
    emptied = {
        "apiKeyHash": erased_key(account_id),
        "apiSecretHash": NO_HASH,
        "keyHint": "",
        "isValid": False,
        "validity": {
            "status": ValidityStatus.INVALID.value,
            "reason": ACCOUNT_REASON,
            "permissions": [],
            "checkedAt": now,
        },
        "isErased": True,
        "updatedAt": now,
    }
    await runtime.store.collection(ExchangeAccount).update(
        {"_id": account_id, **NOT_ERASED},
        {"$set": emptied, "$unset": {"accountNickname": ""}, "$inc": {"version": 1}},
    )
