"""Balances over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from kit.dependencies import AttachedDep, CallerDep, Paging, ResourceId, RuntimeDep
from kit.ids import Id
from kit.preconditions import etag
from kit.problems import Forbidden, NotFound, ReferenceClosed
from kit.responses import documented
from kit.routing import KitRoute
from kit.schemas import PageOut
from staking.documents.balance import BalanceEntry
from staking.operations import balances as operations
from staking.problems import InsufficientBalance, SupplyExhausted
from staking.references import BalanceUserRef
from staking.routes.ledger import LedgerDep
from staking.schemas.balances import AmountsOut, BalanceChange, BalanceChangeOut, BalanceOut, EntryOut

router = APIRouter(prefix="/v1/balances/{userId}", route_class=KitRoute, tags=["balances"])

UserId = Annotated[Id, Path(alias="userId")]
CreditedUserId = Annotated[BalanceUserRef, Path(alias="userId")]


@router.get("", operation_id="readBalance", responses=documented(NotFound))
async def read_balance(*, runtime: RuntimeDep, caller: CallerDep, user_id: UserId, response: Response) -> BalanceOut:
    """A user's balance; there is none before its first movement."""
    balance = await operations.read_balance(runtime, caller, user_id)
    response.headers["ETag"] = etag(balance.edition)
    return BalanceOut(
        user_id=balance.user_id,
        available=balance.available,
        staked=balance.staked,
        created_at=balance.created_at,
        updated_at=balance.updated_at,
        version=balance.edition,
    )


@router.get("/entries", operation_id="listBalanceEntries", responses=documented(NotFound))
async def list_entries(
    *, runtime: RuntimeDep, ledger: LedgerDep, caller: CallerDep, user_id: UserId, paging: Paging
) -> PageOut[EntryOut]:
    """A user's statement, the latest entry first."""
    entries, next_cursor = await operations.list_entries(runtime, ledger, caller, user_id, paging)
    return PageOut[EntryOut](items=[present(entry) for entry in entries], next_cursor=next_cursor)


@router.post(
    "/credits",
    operation_id="creditBalance",
    status_code=201,
    responses=documented(Forbidden, NotFound, ReferenceClosed, SupplyExhausted),
)
async def credit(
    *,
    runtime: RuntimeDep,
    ledger: LedgerDep,
    caller: CallerDep,
    attached: AttachedDep,
    action_id: ResourceId,
    user_id: CreditedUserId,
    body: BalanceChange,
) -> BalanceChangeOut:
    """Issue tokens to a user (treasury)."""
    move = operations.BalanceMove(action_id, user_id, body.amount, body.reason)
    return render(await operations.credit(runtime, ledger, caller, attached, move))


@router.post(
    "/debits",
    operation_id="debitBalance",
    status_code=201,
    responses=documented(Forbidden, NotFound, InsufficientBalance),
)
async def debit(
    *,
    runtime: RuntimeDep,
    ledger: LedgerDep,
    caller: CallerDep,
    action_id: ResourceId,
    user_id: UserId,
    body: BalanceChange,
) -> BalanceChangeOut:
    """Take tokens back from a user (treasury)."""
    move = operations.BalanceMove(action_id, user_id, body.amount, body.reason)
    return render(await operations.debit(runtime, ledger, caller, move))


def render(moved: operations.BalanceMoved) -> BalanceChangeOut:
    """The entry that was made, and the balance as it is now."""
    return BalanceChangeOut(entry_id=moved.entry_id, balance=AmountsOut.model_validate(moved.balance))


def present(entry: BalanceEntry) -> EntryOut:
    """An entry as it travels."""
    return EntryOut(
        entry_id=entry.id,
        user_id=entry.user_id,
        sequence=entry.sequence,
        account=entry.account,
        amount=entry.amount,
        running_balance=entry.running_balance,
        kind=entry.kind,
        source=entry.source,
        reason=entry.reason,
        at=entry.at,
    )
