"""What follows from movements outside their accounts. Each may run again at any time."""

from dataclasses import dataclass
from datetime import datetime

from kit.clock import Clock
from kit.problems import AlreadyExists, Problem, Unavailable
from kit.references.guarded import References
from kit.store import Store
from staking.documents.campaign import RewardCampaign
from staking.documents.reward_log import RewardLog
from staking.documents.stake import UserStake
from staking.domain.campaign import CampaignState
from staking.domain.editions import EDITION
from staking.domain.periods import period_of
from staking.domain.pool_movements import OPEN_CAMPAIGN
from staking.domain.reward_log import LogState, RewardKind, exit_log_id, period_log_id
from staking.domain.stake import StakeState
from staking.domain.stake_accounts import STAKE
from staking.domain.stake_movements import ACTIVATE_STAKE, CREDIT_REWARD, LOG_DISTRIBUTION, LOG_EXIT
from staking.operations.ledger.kinds import EffectCall, EffectHandler


def effect_handlers(store: Store, references: References, clock: Clock) -> dict[str, EffectHandler]:
    """The handlers by name."""
    effects = Effects(store, references, clock)
    return {
        ACTIVATE_STAKE: effects.activate_stake,
        LOG_EXIT: effects.log_exit,
        LOG_DISTRIBUTION: effects.log_distribution,
        CREDIT_REWARD: effects.credit_reward,
        OPEN_CAMPAIGN: effects.open_campaign,
    }


@dataclass(frozen=True, slots=True)
class Paid:
    user_id: str
    stake_id: str
    amount: int


class Effects:
    def __init__(self, store: Store, references: References, clock: Clock) -> None:
        self._stakes = store.collection(UserStake)
        self._logs = store.collection(RewardLog)
        self._campaigns = store.collection(RewardCampaign)
        self._references = references
        self._clock = clock

    async def activate_stake(self, call: EffectCall) -> None:
        """The tokens are in: the stake earns from the pool's index of that very moment."""
        if not call.posted:
            return
        captured = next(iter(call.captured.values()))
        changes = {"state": StakeState.ACTIVE.value, "indexFrom": captured["index"], "updatedAt": self._clock.now()}
        where = {"_id": call.data["stakeId"], "state": StakeState.PENDING.value}
        await self._stakes.update(where, {"$set": changes, "$inc": {"version": 1, EDITION: 1}})

    async def log_exit(self, call: EffectCall) -> None:
        if not call.posted:
            return
        stake_id, at = call.data["stakeId"], call.movement.at
        log = _stake_log(
            exit_log_id(stake_id),
            Paid(call.data["userId"], stake_id, call.data["amount"]),
            period=period_of(at),
            kind=RewardKind.EXIT,
            at=at,
        )
        await self._write([log])

    async def log_distribution(self, call: EffectCall) -> None:
        if not call.posted:
            return
        amounts = {leg.account.id: leg.amount for leg in call.movement.legs if leg.account.kind == STAKE}
        stakes = await self._stakes.find({"_id": {"$in": sorted(amounts)}}, limit=len(amounts))
        if len(stakes) != len(amounts):
            raise Unavailable("Not every stake that was paid can be read now.")
        period, at = call.data["period"], call.movement.at
        await self._write(
            [
                _stake_log(
                    period_log_id(stake.id, period),
                    Paid(stake.user_id, stake.id, amounts[stake.id]),
                    period=period,
                    kind=RewardKind.DISTRIBUTION,
                    at=at,
                )
                for stake in stakes
            ]
        )

    async def credit_reward(self, call: EffectCall) -> None:
        if not call.posted:
            return
        changes = {"state": LogState.CREDITED.value, "updatedAt": self._clock.now()}
        where = {"_id": call.data["logId"], "state": LogState.PENDING.value}
        await self._logs.update(where, {"$set": changes, "$inc": {"version": 1}})

    async def open_campaign(self, call: EffectCall) -> None:
        if not call.posted:
            return
        changes = {"state": CampaignState.OPEN.value, "updatedAt": self._clock.now()}
        where = {"_id": call.data["campaignId"], "state": CampaignState.PENDING.value}
        await self._campaigns.update(where, {"$set": changes, "$inc": {"version": 1, EDITION: 1}})

    async def _write(self, logs: list[RewardLog]) -> None:
        """A log that is there already was written by an earlier run. One that another run has begun is not there yet:
        this effect is carried out again."""
        for result in await self._references.create_many(logs):
            if isinstance(result, Problem) and not (isinstance(result, AlreadyExists) and result.is_settled):
                raise result


def _stake_log(log_id: str, paid: Paid, *, period: str, kind: RewardKind, at: datetime) -> RewardLog:
    return RewardLog(
        id=log_id,
        user_id=paid.user_id,
        source_type="stake",
        source_id=paid.stake_id,
        amount=paid.amount,
        period=period,
        kind=kind,
        state=LogState.CREDITED,
        at=at,
        created_at=at,
        updated_at=at,
    )
