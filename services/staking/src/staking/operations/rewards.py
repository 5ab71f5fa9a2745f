"""Rewards: the list of all that was given, and bonuses."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.identity import TREASURY as TREASURY_ROLE
from kit.identity import Caller, not_found
from kit.paging import PageRequest, SortFields, fetch_page
from kit.problems import FieldError, ReferenceNotFound, Unavailable
from kit.references.attached import Attached
from kit.runtime import Runtime
from kit.store import DuplicateKey
from staking.documents.campaign import RewardCampaign
from staking.documents.reward_log import RewardLog
from staking.documents.stake import UserStake
from staking.domain.campaign import CampaignState
from staking.domain.ledger import Posted, Refusal, Why
from staking.domain.periods import period_of
from staking.domain.reward_log import LogState, RewardKind
from staking.domain.stake import StakeState
from staking.domain.stake_accounts import CAMPAIGN
from staking.domain.stake_movements import reward_credit
from staking.operations.balances import open_balance
from staking.operations.ledger.ledger import Ledger
from staking.problems import CampaignBudgetExceeded, CampaignClosed, SupplyExhausted
from staking.schemas.rewards import RewardCreate

NOUN = "reward"
REWARD_SORT = SortFields(allowed={"at": "at", "amount": "amount"}, default="-at")
TRIES_MAX = 10


@dataclass(frozen=True)
class RewardFilters:
    """What a list of rewards is narrowed to; None is everything the caller may see. `since` is included, `until` is
    not."""

    user_id: str | None
    source_id: str | None
    since: datetime | None
    until: datetime | None

    def stored(self, caller: Caller) -> dict[str, Any]:
        caller_id = caller.require_signed_in()
        if self.user_id is not None and not caller.may_act_for(self.user_id):
            return {"_id": {"$in": []}}
        user_id = self.user_id if caller.has(TREASURY_ROLE) else caller_id
        between = {name: at for name, at in (("$gte", self.since), ("$lt", self.until)) if at is not None}
        wanted = {
            "state": LogState.CREDITED.value,
            "userId": user_id,
            "sourceId": self.source_id,
            "at": between or None,
        }
        return {name: value for name, value in wanted.items() if value is not None}


async def list_rewards(
    runtime: Runtime, caller: Caller, filters: RewardFilters, page: PageRequest
) -> tuple[list[RewardLog], str | None]:
    """The caller's own rewards; treasury and admins see everybody's."""
    logs = runtime.store.collection(RewardLog)
    return await fetch_page(logs, filters.stored(caller), page, REWARD_SORT, runtime.cursor_key)


async def create_reward(
    runtime: Runtime, ledger: Ledger, caller: Caller, attached: Attached, body: RewardCreate, *, log_id: str
) -> RewardLog:
    """Credit a bonus. Raises ReferenceNotFound, CampaignClosed, CampaignBudgetExceeded, SupplyExhausted: then nothing
    is left of it."""
    caller.require_role(TREASURY_ROLE)
    made_before = await runtime.store.collection(RewardLog).get(log_id)
    if made_before is not None and made_before.state == LogState.CREDITED:
        return made_before
    if made_before is None:
        await _check_source(runtime, body)
        await open_balance(runtime, body.user_id, attached)
        await _write_pending(runtime, caller, attached, body, log_id)
    return await credit_reward(runtime, ledger, log_id)


async def credit_reward(runtime: Runtime, ledger: Ledger, log_id: str) -> RewardLog:
    """Bring a pending reward to its end: credited, or gone. Anyone may, any number of times."""
    logs = runtime.store.collection(RewardLog)
    log = await logs.get(log_id)
    if log is None:
        raise not_found(NOUN)
    for attempt in range(TRIES_MAX):
        movement = reward_credit(
            log_id=log_id,
            attempt=attempt,
            user_id=log.user_id,
            campaign_id=log.source_id if log.source_type == CAMPAIGN else None,
            amount=log.amount,
            actor_id=log.created_by,
            at=log.at,
        )
        outcome = await ledger.post(movement)
        if isinstance(outcome, Posted):
            return await _load(runtime, log_id)
        if outcome.refusal.why is not Why.CONTENDED:
            # Nothing ever refers to a log.
            await logs.delete({"_id": log_id, "state": LogState.PENDING.value})
            raise _refused(outcome.refusal)
    raise Unavailable("The accounts are being changed by many at once; try again.")


async def _load(runtime: Runtime, log_id: str) -> RewardLog:
    log = await runtime.store.collection(RewardLog).get(log_id)
    if log is None or log.state == LogState.PENDING:
        raise not_found(NOUN)
    return log


async def _check_source(runtime: Runtime, body: RewardCreate) -> None:
    """What is not there yet, since its tokens are on the way, may still vanish and is no source."""
    if body.source_type == "stake":
        stake = await runtime.store.collection(UserStake).get(body.source_id)
        if stake is None or stake.state == StakeState.PENDING or stake.user_id != body.user_id:
            raise _no_source()
    if body.source_type == "campaign":
        campaign = await runtime.store.collection(RewardCampaign).get(body.source_id)
        if campaign is None or campaign.state == CampaignState.PENDING:
            raise _no_source()
        if campaign.state == CampaignState.CLOSED:
            raise CampaignClosed("The campaign pays no more.")


async def _write_pending(runtime: Runtime, caller: Caller, attached: Attached, body: RewardCreate, log_id: str) -> None:
    now = runtime.clock.now()
    log = RewardLog(
        id=log_id,
        user_id=body.user_id,
        source_type=body.source_type,
        source_id=body.source_id,
        amount=body.amount,
        period=period_of(now),
        kind=RewardKind.BONUS,
        state=LogState.PENDING,
        created_by=caller.require_signed_in(),
        at=now,
        created_at=now,
        updated_at=now,
    )
    try:
        await runtime.references.create(log, attached)
    except DuplicateKey:
        return  # another try of this request made it


def _no_source() -> ReferenceNotFound:
    return ReferenceNotFound(
        errors=[FieldError("/sourceId", "reference-not-found", "There is no such source of the user.")]
    )


def _refused(refusal: Refusal) -> Exception:
    if refusal.place.kind != CAMPAIGN:
        return SupplyExhausted("The treasury has issued all that may ever be issued.")
    if refusal.why is Why.MOVED:
        return CampaignClosed("The campaign pays no more.")
    return CampaignBudgetExceeded("Less than this amount is left of the campaign's budget.")
