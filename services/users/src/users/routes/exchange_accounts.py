"""Exchange accounts over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from kit.dependencies import AttachedDep, CallerDep, IfMatch, Paging, ResourceId, RuntimeDep
from kit.ids import Id
from kit.preconditions import etag
from kit.problems import (
    AlreadyExists,
    IllegalTransition,
    NotFound,
    ReferenceClosed,
    ReferenceConditionFailed,
    ReferenceNotFound,
    ResourceDeleted,
    VersionMismatch,
)
from kit.references.deletes.deleting import delete_responses, deletes, refuse_direct
from kit.responses import documented
from kit.routing import KitRoute
from kit.schemas import PageOut
from users.documents.exchange_accounts import ExchangeAccount
from users.domain.exchange_accounts import warnings
from users.operations import exchange_accounts as operations
from users.problems import CredentialsMismatch
from users.routes.tools import ToolsDep
from users.schemas.exchange_accounts import (
    Credentials,
    ExchangeAccountLink,
    ExchangeAccountOut,
    ExchangeAccountPatch,
    ValidityOut,
)
from users.schemas.fields import ExchangeName

router = APIRouter(prefix="/v1/exchange-accounts", route_class=KitRoute, tags=["exchange accounts"])

AccountId = Annotated[Id, Path(alias="accountId")]

LINK_REFUSALS = (AlreadyExists, ResourceDeleted, ReferenceNotFound, ReferenceClosed, ReferenceConditionFailed)
CHANGE_REFUSALS = (NotFound, IllegalTransition, VersionMismatch)
VERIFY_REFUSALS = (*CHANGE_REFUSALS, CredentialsMismatch)
ROTATE_REFUSALS = (*CHANGE_REFUSALS, AlreadyExists)


async def account_filters(
    user_id: Annotated[Id | None, Query(alias="userId")] = None,
    exchange_name: Annotated[ExchangeName | None, Query(alias="exchangeName")] = None,
    is_valid: Annotated[bool | None, Query(alias="isValid")] = None,
) -> operations.AccountFilters:
    """The query parameters of the list."""
    return operations.AccountFilters(user_id=user_id, exchange_name=exchange_name, is_valid=is_valid)


def render(account: ExchangeAccount, response: Response) -> ExchangeAccountOut:
    """An account as it travels, with its version as ETag."""
    response.headers["ETag"] = etag(account.version)
    return present(account)


def present(account: ExchangeAccount) -> ExchangeAccountOut:
    """An account as it travels: no hash leaves the service."""
    validity = account.validity
    return ExchangeAccountOut(
        account_id=account.id,
        user_id=account.user_id,
        exchange_name=account.exchange_name,
        account_nickname=account.account_nickname,
        key_hint=account.key_hint,
        is_valid=account.is_valid,
        validity=ValidityOut.model_validate(validity),
        warnings=warnings(validity.permissions),
        created_at=account.created_at,
        updated_at=account.updated_at,
        version=account.version,
    )


@router.post("", operation_id="linkExchangeAccount", status_code=201, responses=documented(*LINK_REFUSALS))
async def link_exchange_account(
    *,
    runtime: RuntimeDep,
    tools: ToolsDep,
    caller: CallerDep,
    attached: AttachedDep,
    account_id: ResourceId,
    body: ExchangeAccountLink,
    response: Response,
) -> ExchangeAccountOut:
    """Link an account at an exchange. Key and secret are checked, hashed and forgotten."""
    account = await operations.link_account(runtime, tools, caller, body, account_id=account_id, attached=attached)
    response.headers["Location"] = f"/v1/exchange-accounts/{account.id}"
    return render(account, response)


@router.get("", operation_id="listExchangeAccounts")
async def list_exchange_accounts(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    filters: Annotated[operations.AccountFilters, Depends(account_filters)],
    page: Paging,
) -> PageOut[ExchangeAccountOut]:
    """The caller's own accounts; everybody's for treasury and admins."""
    accounts, next_cursor = await operations.list_accounts(runtime, caller, filters, page)
    return PageOut[ExchangeAccountOut](items=[present(account) for account in accounts], next_cursor=next_cursor)


@router.get("/{accountId}", operation_id="getExchangeAccount", responses=documented(NotFound))
async def get_exchange_account(
    *, runtime: RuntimeDep, caller: CallerDep, account_id: AccountId, response: Response
) -> ExchangeAccountOut:
    """One account, without its credentials."""
    return render(await operations.get_account(runtime, caller, account_id), response)


@router.patch("/{accountId}", operation_id="changeExchangeAccount", responses=documented(*CHANGE_REFUSALS))
async def change_exchange_account(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    account_id: AccountId,
    body: ExchangeAccountPatch,
    if_match: IfMatch,
    response: Response,
) -> ExchangeAccountOut:
    """Change the nickname, or remove it with null."""
    return render(await operations.rename_account(runtime, caller, account_id, body, if_match), response)


@router.delete(
    "/{accountId}",
    operation_id="deleteExchangeAccount",
    status_code=204,
    responses=delete_responses(),
    openapi_extra=deletes("exchange_accounts"),
)
async def delete_exchange_account(*, account_id: AccountId, if_match: IfMatch) -> None:  # noqa: ARG001 (the deleter gets them)
    """Delete an account that no bot uses, archived bots too: owner, treasury, admin."""
    refuse_direct()


@router.post("/{accountId}/verify", operation_id="verifyExchangeAccount", responses=documented(*VERIFY_REFUSALS))
async def verify_exchange_account(
    *,
    runtime: RuntimeDep,
    tools: ToolsDep,
    caller: CallerDep,
    account_id: AccountId,
    action_id: ResourceId,
    body: Credentials,
    if_match: IfMatch,
    response: Response,
) -> ExchangeAccountOut:
    """Ask the exchange about the linked credentials, which are sent once more for that."""
    account = await operations.verify_account(
        runtime, tools, caller, account_id, body, action_id=action_id, if_match=if_match
    )
    return render(account, response)


@router.post("/{accountId}/rotate", operation_id="rotateExchangeAccount", responses=documented(*ROTATE_REFUSALS))
async def rotate_exchange_account(
    *,
    runtime: RuntimeDep,
    tools: ToolsDep,
    caller: CallerDep,
    account_id: AccountId,
    action_id: ResourceId,
    body: Credentials,
    if_match: IfMatch,
    response: Response,
) -> ExchangeAccountOut:
    """Replace the credentials; the account keeps its id and whatever refers to it."""
    account = await operations.rotate_account(
        runtime, tools, caller, account_id, body, action_id=action_id, if_match=if_match
    )
    return render(account, response)
