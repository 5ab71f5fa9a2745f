"""Balances: made with the first movement, changed by movements only."""

from dataclasses import dataclass

from kit.identity import TREASURY as TREASURY_ROLE
from kit.identity import Caller, not_found
from kit.paging import PageRequest, SortFields, fetch_page
from kit.problems import Unavailable
from kit.references.attached import Attached
from kit.runtime import Runtime
from kit.store import DuplicateKey
from staking.documents.balance import BalanceEntry, TokenBalance
from staking.domain.balances import BALANCE_RULES, available
from staking.domain.ledger import Leg, Movement, Place, Posted, Refused
from staking.domain.system_accounts import TREASURY
from staking.operations.ledger.entries import entry_id
from staking.operations.ledger.ledger import Ledger
from staking.problems import InsufficientBalance, SupplyExhausted

TRIES_MAX = 20
ENTRY_SORT = SortFields(allowed={"sequence": "sequence"}, default="-sequence")
USER_LEG = 0


@dataclass(frozen=True, slots=True)
class BalanceMove:
    """What the treasury asks for. `action_id` is the request's, so that a retry finds its movement. `amount` is
    above zero, in units of 1e-8 OMNI."""

    action_id: str
    user_id: str
    amount: int
    reason: str


@dataclass(frozen=True, slots=True)
class BalanceMoved:
    entry_id: str
    balance: TokenBalance


async def read_balance(runtime: Runtime, caller: Caller, user_id: str) -> TokenBalance:
    """Raises NotFound if nothing was moved yet, or the caller may not see it."""
    balance = await runtime.store.collection(TokenBalance).get(user_id)
    caller.require_owner(user_id, "balance")
    if balance is None:
        raise not_found("balance")
    return balance


async def list_entries(
    runtime: Runtime, ledger: Ledger, caller: Caller, user_id: str, page: PageRequest
) -> tuple[list[BalanceEntry], str | None]:
    """Everything that is decided, the latest first: what a crash kept from being entered is entered now."""
    await read_balance(runtime, caller, user_id)
    await ledger.complete_at(Place(BALANCE_RULES.name, user_id))
    entries = runtime.store.collection(BalanceEntry)
    return await fetch_page(entries, {"userId": user_id}, page, ENTRY_SORT, runtime.cursor_key)


async def credit(
    runtime: Runtime, ledger: Ledger, caller: Caller, attached: Attached, move: BalanceMove
) -> BalanceMoved:
    """From the treasury to the user. Makes the balance if there is none."""
    caller.require_role(TREASURY_ROLE)
    await open_balance(runtime, move.user_id, attached)
    outcome = await ledger.post(_movement(runtime, caller, move, "credit", move.amount))
    if isinstance(outcome, Refused):
        raise SupplyExhausted("The treasury has issued all that may ever be issued.")
    return await _moved(runtime, outcome)


async def debit(runtime: Runtime, ledger: Ledger, caller: Caller, move: BalanceMove) -> BalanceMoved:
    """From the user to the treasury."""
    caller.require_role(TREASURY_ROLE)
    await read_balance(runtime, caller, move.user_id)
    outcome = await ledger.post(_movement(runtime, caller, move, "debit", -move.amount))
    if isinstance(outcome, Refused):
        raise InsufficientBalance("Less than this amount is available; staked tokens are not.")
    return await _moved(runtime, outcome)


async def open_balance(runtime: Runtime, user_id: str, attached: Attached) -> None:
    """Sees that the user has a balance that may be moved; to be called before anything is credited to a user.

    The balance is made empty; then, by a guarded change, it is said to have entries, from which on the user can't be
    deleted. Raises what guarded writes raise: where there is no balance yet, `attached` must hold its reference,
    `user_token_balances.userId`.
    """
    balances = runtime.store.collection(TokenBalance)
    for _ in range(TRIES_MAX):
        balance = await balances.get(user_id)
        if balance is not None and balance.has_entries:
            return
        if balance is None:
            now = runtime.clock.now()
            empty = TokenBalance(id=user_id, user_id=user_id, created_at=now, updated_at=now)
            try:
                balance = await runtime.references.create(empty, attached)
            except DuplicateKey:
                continue
        if await runtime.references.change(balance, {"hasEntries": True}, attached=attached) is not None:
            return
    raise Unavailable("The balance is changed by too many others; try again.")


def _movement(runtime: Runtime, caller: Caller, move: BalanceMove, kind: str, amount: int) -> Movement:
    return Movement(
        id=f"{kind}:{move.action_id}",
        kind=kind,
        source=TREASURY.id,
        legs=(Leg(available(move.user_id), amount), Leg(TREASURY, -amount)),
        at=runtime.clock.now(),
        reason=move.reason,
        actor_id=caller.require_signed_in(),
    )


async def _moved(runtime: Runtime, posted: Posted) -> BalanceMoved:
    user_id = posted.movement.legs[USER_LEG].account.id
    balance = await runtime.store.collection(TokenBalance).get(user_id)
    if balance is None:
        raise not_found("balance")
    return BalanceMoved(entry_id(posted.movement.id, USER_LEG), balance)
