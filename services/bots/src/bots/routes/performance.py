"""Performance over HTTP: deliveries, figures, history, trades, totals."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from bots.documents.bot_performance import ClosedTrade
from bots.domain.moments import moment_at
from bots.domain.money import format_money
from bots.domain.samples import Sample
from bots.operations import history, samples, trades
from bots.operations import performance as operations
from bots.operations.deliveries import Outcome
from bots.references import PerformanceBotRef
from bots.schemas.deliveries import (
    BotDeliveryOut,
    DeliveriesOut,
    DeliveryOut,
    HistoryOut,
    Resolution,
    SampleBatch,
    SampleBatches,
    SampleOut,
    TradeBatch,
    TradeOut,
)
from bots.schemas.performance import PerformanceOut, TotalsOut, UserPerformanceOut
from kit.dependencies import AttachedDep, CallerDep, Paging, RuntimeDep
from kit.ids import Id
from kit.problems import NotFound, ReferenceClosed, ReferenceNotFound, ReferencesNotValidated, ReferenceUnverifiable
from kit.responses import documented
from kit.routing import KitRoute
from kit.schemas import PageOut, Timestamp

router = APIRouter(prefix="/v1", route_class=KitRoute, tags=["performance"])

BotId = Annotated[Id, Path(alias="botId")]
DeliveredBotId = Annotated[PerformanceBotRef, Path(alias="botId")]

DELIVERY_REFUSALS = (NotFound, ReferenceClosed, ReferenceUnverifiable, ReferencesNotValidated)


async def history_range(
    begin: Annotated[Timestamp | None, Query(alias="from", description="The first moment.")] = None,
    end: Annotated[Timestamp | None, Query(alias="to", description="The first moment after the last.")] = None,
) -> history.Range:
    """The query parameters of a history."""
    return history.Range(begin, end)


def present_outcome(outcome: Outcome) -> DeliveryOut:
    return DeliveryOut.model_validate(outcome)


def present_sample(sample: Sample) -> SampleOut:
    return SampleOut(
        ts=moment_at(sample.at_ms),
        equity=format_money(sample.equity),
        realized_pnl=format_money(sample.realized),
        unrealized_pnl=format_money(sample.unrealized),
        fees=format_money(sample.fees),
        volume=format_money(sample.volume),
        cash_flow=format_money(sample.cash_flow),
        seq=sample.seq,
    )


def present_totals(totals: operations.CurrencyTotals) -> TotalsOut:
    sums = {name: format_money(amount) for name, amount in totals.sums.items()}
    return TotalsOut(
        currency=totals.currency,
        bots=totals.bots,
        measured=totals.measured,
        initial_capital=format_money(totals.initial_capital),
        net_flows=sums["netFlows"],
        equity=sums["equity"],
        realized_pnl=sums["realizedPnl"],
        unrealized_pnl=sums["unrealizedPnl"],
        fees=sums["fees"],
        net_pnl=sums["netPnl"],
        roi=totals.roi,
    )


@router.post(
    "/bots/{botId}/performance/samples", operation_id="deliverSamples", responses=documented(*DELIVERY_REFUSALS)
)
async def deliver_samples(
    *, runtime: RuntimeDep, caller: CallerDep, attached: AttachedDep, bot_id: DeliveredBotId, body: SampleBatch
) -> DeliveryOut:
    """Samples of one bot, again and in any order; for engines, and for the owner of a paper bot."""
    return present_outcome(await samples.deliver_samples(runtime, caller, bot_id, body, attached))


@router.post(
    "/performance/samples",
    operation_id="deliverSamplesOfBots",
    responses=documented(ReferenceNotFound, *DELIVERY_REFUSALS),
)
async def deliver_samples_of_bots(
    *, runtime: RuntimeDep, caller: CallerDep, attached: AttachedDep, body: SampleBatches
) -> DeliveriesOut:
    """Samples of many bots at once."""
    outcomes = await samples.deliver_many(runtime, caller, body, attached)
    return DeliveriesOut(
        received=sum(one.received for one in outcomes.values()),
        created=sum(one.created for one in outcomes.values()),
        updated=sum(one.updated for one in outcomes.values()),
        unchanged=sum(one.unchanged for one in outcomes.values()),
        bots=[
            BotDeliveryOut(
                bot_id=bot_id,
                received=one.received,
                created=one.created,
                updated=one.updated,
                unchanged=one.unchanged,
            )
            for bot_id, one in outcomes.items()
        ],
    )


@router.post("/bots/{botId}/performance/trades", operation_id="deliverTrades", responses=documented(*DELIVERY_REFUSALS))
async def deliver_trades(
    *, runtime: RuntimeDep, caller: CallerDep, attached: AttachedDep, bot_id: DeliveredBotId, body: TradeBatch
) -> DeliveryOut:
    """Closed trades of one bot, again and in any order; for engines, and for the owner of a paper bot."""
    return present_outcome(await trades.deliver_trades(runtime, caller, bot_id, body, attached))


@router.get("/bots/{botId}/performance", operation_id="getBotPerformance", responses=documented(NotFound))
async def get_bot_performance(*, runtime: RuntimeDep, caller: CallerDep, bot_id: BotId) -> PerformanceOut:
    """The bot's figures as they are now. What is undefined is null, with its reason."""
    return PerformanceOut.model_validate(await operations.get_performance(runtime, caller, bot_id))


@router.get("/bots/{botId}/performance/history", operation_id="getBotHistory", responses=documented(NotFound))
async def get_bot_history(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    bot_id: BotId,
    wanted: Annotated[history.Range, Depends(history_range)],
    resolution: Annotated[Resolution, Query()] = "1m",
    page: Paging,
) -> HistoryOut:
    """The bot's samples in order of time, as they were delivered: one a minute at most."""
    found = await history.get_history(runtime, caller, bot_id, wanted, page)
    return HistoryOut(
        items=[present_sample(sample) for sample in found.samples],
        next_cursor=found.next_cursor,
        currency=found.bot.initial_capital.currency,
        resolution=resolution,
    )


@router.get("/bots/{botId}/performance/trades", operation_id="listBotTrades", responses=documented(NotFound))
async def list_bot_trades(*, runtime: RuntimeDep, caller: CallerDep, bot_id: BotId, page: Paging) -> PageOut[TradeOut]:
    """The bot's closed trades in order of closing."""
    found, next_cursor = await trades.list_trades(runtime, caller, bot_id, page)
    return PageOut[TradeOut](items=[present_trade(trade) for trade in found], next_cursor=next_cursor)


def present_trade(trade: ClosedTrade) -> TradeOut:
    return TradeOut.model_validate(trade)


@router.get("/performance", operation_id="getUserPerformance")
async def get_user_performance(
    *, runtime: RuntimeDep, caller: CallerDep, user_id: Annotated[Id | None, Query(alias="userId")] = None
) -> UserPerformanceOut:
    """Sums over a user's bots, per currency; the caller's own unless a user is named."""
    of_user = user_id or caller.require_signed_in()
    totals = await operations.get_totals(runtime, caller, of_user)
    return UserPerformanceOut(user_id=of_user, items=[present_totals(one) for one in totals])
