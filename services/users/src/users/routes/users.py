"""Users over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from kit.dependencies import CallerDep, IfMatch, Paging, ResourceId, RuntimeDep
from kit.ids import Id
from kit.preconditions import etag
from kit.problems import AlreadyExists, Forbidden, IllegalTransition, NotFound, ResourceDeleted, VersionMismatch
from kit.references.deletes.deleting import delete_responses, deletes, refuse_direct
from kit.responses import documented
from kit.routing import PUBLIC, KitRoute
from kit.schemas import PageOut
from users.documents.users import User
from users.domain.life_cycle import Action, Status
from users.domain.roles import Role
from users.operations import account_status, erasure
from users.operations import users as operations
from users.problems import LastAdmin, WrongPassword
from users.routes.tools import ToolsDep
from users.schemas.fields import Email
from users.schemas.users import SignUp, StatusChange, UserOut, UserPatch

router = APIRouter(prefix="/v1/users", route_class=KitRoute, tags=["users"])

UserId = Annotated[Id, Path(alias="userId")]
Reasoned = Annotated[StatusChange, Body(default_factory=StatusChange)]

CHANGE_REFUSALS = (NotFound, Forbidden, WrongPassword, AlreadyExists, IllegalTransition, LastAdmin, VersionMismatch)
ACTION_REFUSALS = (NotFound, Forbidden, IllegalTransition, VersionMismatch)


async def user_filters(
    email: Annotated[Email | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
    role: Annotated[Role | None, Query()] = None,
) -> operations.UserFilters:
    """The query parameters of the list."""
    return operations.UserFilters(email=email, status=status, role=role)


def render(user: User, response: Response) -> UserOut:
    """A user as it travels, with its version as ETag."""
    response.headers["ETag"] = etag(user.version)
    return present(user)


def present(user: User) -> UserOut:
    """A user as it travels."""
    is_erased = user.status is Status.ERASED
    return UserOut(
        user_id=user.id,
        email=None if is_erased else user.email,
        display_name=None if is_erased else user.display_name,
        roles=user.roles,
        status=user.status,
        status_reason=user.status_reason,
        created_at=user.created_at,
        updated_at=user.updated_at,
        version=user.version,
    )


@router.post(
    "",
    operation_id="signUp",
    status_code=201,
    responses=documented(AlreadyExists, ResourceDeleted),
    openapi_extra=PUBLIC,
)
async def sign_up(
    *, runtime: RuntimeDep, tools: ToolsDep, user_id: ResourceId, body: SignUp, response: Response
) -> UserOut:
    """Make an account with the role `user`. Anybody may."""
    user = await operations.sign_up(runtime, tools, body, user_id)
    response.headers["Location"] = f"/v1/users/{user.id}"
    return render(user, response)


@router.get("", operation_id="listUsers", responses=documented(Forbidden))
async def list_users(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    filters: Annotated[operations.UserFilters, Depends(user_filters)],
    page: Paging,
) -> PageOut[UserOut]:
    """All users, for admins."""
    users, next_cursor = await operations.list_users(runtime, caller, filters, page)
    return PageOut[UserOut](items=[present(user) for user in users], next_cursor=next_cursor)


@router.get("/me", operation_id="getOwnUser", responses=documented(NotFound))
async def get_own_user(*, runtime: RuntimeDep, caller: CallerDep, response: Response) -> UserOut:
    """The caller's own user."""
    return render(await operations.get_own(runtime, caller), response)


@router.get("/{userId}", operation_id="getUser", responses=documented(NotFound))
async def get_user(*, runtime: RuntimeDep, caller: CallerDep, user_id: UserId, response: Response) -> UserOut:
    """One user, for themselves, treasury and admins."""
    return render(await operations.get_user(runtime, caller, user_id), response)


@router.patch("/{userId}", operation_id="changeUser", responses=documented(*CHANGE_REFUSALS))
async def change_user(
    *,
    runtime: RuntimeDep,
    tools: ToolsDep,
    caller: CallerDep,
    user_id: UserId,
    body: UserPatch,
    if_match: IfMatch,
    response: Response,
) -> UserOut:
    """Change a user: themselves, or an admin, who alone sets roles. A new password ends all sessions."""
    user = await operations.change_user(runtime, tools, caller, user_id, body, if_match=if_match)
    return render(user, response)


@router.delete(
    "/{userId}",
    operation_id="deleteUser",
    status_code=204,
    responses=delete_responses(Forbidden, LastAdmin),
    openapi_extra=deletes("users"),
)
async def delete_user(*, user_id: UserId, if_match: IfMatch) -> None:  # noqa: ARG001 (the deleter gets them)
    """Delete a user with their exchange accounts, bots and sessions: themselves, or an admin; never the last admin.
    A user who has stakes, rewards or entries in a balance, or a bot that is running or paused, is not deleted: such a
    user can be erased."""
    refuse_direct()


@router.post("/{userId}/suspend", operation_id="suspendUser", responses=documented(*ACTION_REFUSALS, LastAdmin))
async def suspend_user(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    user_id: UserId,
    action_id: ResourceId,
    if_match: IfMatch,
    response: Response,
    body: Reasoned,
) -> UserOut:
    """Keep a user from signing in and end all sessions; for admins."""
    user = await account_status.change_status(
        runtime, caller, user_id, Action.SUSPEND, reason=body.reason, action_id=action_id, if_match=if_match
    )
    return render(user, response)


@router.post("/{userId}/reactivate", operation_id="reactivateUser", responses=documented(*ACTION_REFUSALS))
async def reactivate_user(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    user_id: UserId,
    action_id: ResourceId,
    if_match: IfMatch,
    response: Response,
    body: Reasoned,
) -> UserOut:
    """Let a suspended user sign in again; for admins."""
    user = await account_status.change_status(
        runtime, caller, user_id, Action.REACTIVATE, reason=body.reason, action_id=action_id, if_match=if_match
    )
    return render(user, response)


@router.post("/{userId}/erase", operation_id="eraseUser", responses=documented(*ACTION_REFUSALS, LastAdmin))
async def erase_user(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    user_id: UserId,
    action_id: ResourceId,
    if_match: IfMatch,
    response: Response,
) -> UserOut:
    """Wipe a user's personal data and credentials, those of their exchange accounts too, and close the account for
    good: themselves, or an admin; never the last admin. The id stays, and with it what refers to it."""
    user = await erasure.erase_user(runtime, caller, user_id, action_id=action_id, if_match=if_match)
    return render(user, response)
