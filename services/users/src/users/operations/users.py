"""Users: sign up, read, change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit.identity import Caller, not_found
from kit.paging import PageRequest, SortFields, fetch_page
from kit.preconditions import check_if_match
from kit.problems import AlreadyExists, FieldError, Forbidden, IllegalTransition, InvalidRequest
from kit.references.attached import Attached
from kit.runtime import Runtime
from kit.store import DuplicateKey
from users.adapters.tools import Tools
from users.documents.users import User
from users.domain.life_cycle import Status
from users.domain.passwords import password_fault
from users.domain.roles import Role, gives_up_admin
from users.operations.admins import ACTIVE_ADMIN, save_stepping_down
from users.operations.updates import decide_and_save, save
from users.problems import WrongPassword
from users.schemas.users import SignUp, UserPatch

USER_SORT = SortFields(allowed={"createdAt": "createdAt", "email": "email"}, default="-createdAt")


@dataclass(frozen=True)
class UserFilters:
    """What a list of users is narrowed to; None is everything."""

    email: str | None
    status: Status | None
    role: Role | None

    def stored(self) -> dict[str, Any]:
        wanted = {
            "email": self.email,
            "status": self.status and self.status.value,
            "roles": self.role and self.role.value,
        }
        return {name: value for name, value in wanted.items() if value is not None}


async def sign_up(runtime: Runtime, tools: Tools, body: SignUp, user_id: str) -> User:
    """Make an account with the role `user`. Raises InvalidRequest at /password, AlreadyExists at /email."""
    made_before = await runtime.store.collection(User).get(user_id)
    if made_before is not None:
        return made_before
    password = body.password.get_secret_value()
    _check_password(password, body.email)
    now = runtime.clock.now()
    user = User(
        id=user_id,
        email=body.email,
        display_name=body.display_name,
        password_hash=await tools.hasher.hash(password),
        roles=[Role.USER],
        status=Status.ACTIVE,
        created_at=now,
        updated_at=now,
    )
    try:
        return await runtime.references.create(user, Attached(()))
    except DuplicateKey as taken:
        made_meanwhile = await runtime.store.collection(User).get(user_id)
        if made_meanwhile is not None:
            return made_meanwhile
        raise _email_taken() from taken


async def get_user(runtime: Runtime, caller: Caller, user_id: str) -> User:
    """One user, for themselves, treasury and admins. Raises NotFound for everybody else as for an unknown id."""
    caller.require_owner(user_id, "user")
    user = await runtime.store.collection(User).get(user_id)
    if user is None:
        raise not_found("user")
    return user


async def get_own(runtime: Runtime, caller: Caller) -> User:
    """The caller's own user."""
    return await get_user(runtime, caller, caller.require_signed_in())


async def list_users(
    runtime: Runtime, caller: Caller, filters: UserFilters, page: PageRequest
) -> tuple[list[User], str | None]:
    """A page of users, for admins."""
    caller.require_role(Role.ADMIN)
    users = runtime.store.collection(User)
    return await fetch_page(users, filters.stored(), page, USER_SORT, runtime.cursor_key)


async def change_user(
    runtime: Runtime, tools: Tools, caller: Caller, user_id: str, patch: UserPatch, *, if_match: int | None
) -> User:
    """Change what the patch names.

    Raises NotFound, Forbidden, WrongPassword, InvalidRequest at /password or /currentPassword, AlreadyExists at /email,
    IllegalTransition of an erased user, LastAdmin, VersionMismatch.
    """

    async def attempt() -> User | None:
        user = await get_user(runtime, caller, user_id)
        await _check_may_change(runtime, caller, user, patch)
        check_if_match(if_match, user.version)
        check_not_erased(user, "change")
        changes = await _decided_changes(tools, caller, user, patch)
        if not changes:
            return user
        roles_after = patch.roles if "roles" in patch.model_fields_set else user.roles
        ends_sessions = {"sessionEpoch": 1} if "passwordHash" in changes else None
        if gives_up_admin(
            roles_before=user.roles, status_before=user.status, roles_after=roles_after, status_after=user.status
        ):
            return await save_stepping_down(runtime, user, changes, add=ends_sessions)
        return await save(runtime, user, changes, add=ends_sessions)

    try:
        return await decide_and_save(attempt, if_match=if_match)
    except DuplicateKey as taken:
        raise _email_taken() from taken


def require_self_or_admin(caller: Caller, user: User) -> None:
    """Raises Forbidden for the treasury, which sees others' accounts and leaves them as they are."""
    if caller.id != user.id and not caller.has(Role.ADMIN):
        raise Forbidden("Only an admin changes another user.")


def check_not_erased(user: User, action: str) -> None:
    """Raises IllegalTransition: nothing leads out of an erased account, and nothing new goes into it."""
    if user.status is Status.ERASED:
        raise IllegalTransition("An erased account stays as it is.", from_=str(user.status), action=action, allowed=[])


async def _check_may_change(runtime: Runtime, caller: Caller, user: User, patch: UserPatch) -> None:
    """Roles outlast the token that they are given with: whoever gives them must be an admin now."""
    if "roles" in patch.model_fields_set:
        caller.require_role(Role.ADMIN)
        if not await runtime.store.collection(User).exists({"_id": caller.id, **ACTIVE_ADMIN}):
            raise Forbidden("Your token is older than your account: it is no active admin's any more.")
    require_self_or_admin(caller, user)


async def _decided_changes(tools: Tools, caller: Caller, user: User, patch: UserPatch) -> Mapping[str, Any]:
    """The stored fields that the patch changes, after everything it must prove was checked."""
    given = patch.model_fields_set
    if caller.id == user.id and given & {"email", "password"}:
        await _check_current_password(tools, user, patch)
    changes: dict[str, Any] = {}
    if "display_name" in given and patch.display_name != user.display_name:
        changes["displayName"] = patch.display_name
    if "email" in given and patch.email != user.email:
        changes["email"] = patch.email
    if "roles" in given and patch.roles != user.roles:
        changes["roles"] = [role.value for role in patch.roles]
    if "password" in given:
        password = patch.password.get_secret_value()
        _check_password(password, patch.email if "email" in given else user.email)
        changes["passwordHash"] = await tools.hasher.hash(password)
    return changes


async def _check_current_password(tools: Tools, user: User, patch: UserPatch) -> None:
    if "current_password" not in patch.model_fields_set:
        detail = "One's own email and password change with the current password only."
        raise InvalidRequest("A field is missing.", errors=[FieldError("/currentPassword", "missing", detail)])
    if not await tools.hasher.verify(user.password_hash, patch.current_password.get_secret_value()):
        raise WrongPassword("Send the password that the account has now.")


def _check_password(password: str, email: str) -> None:
    fault = password_fault(password, email=email)
    if fault is not None:
        errors = [FieldError("/password", "weak-password", fault.capitalize() + ".")]
        raise InvalidRequest("The password can't be taken.", errors=errors)


def _email_taken() -> AlreadyExists:
    errors = [FieldError("/email", "already-exists", "Another account has this email.")]
    return AlreadyExists("The email is taken; sign in, or use another.", errors=errors)
