"""Market pairs over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from bots.documents.market_pairs import MarketPair
from bots.domain.market_import import MarketState
from bots.domain.market_symbols import PAIR_ID_CHARACTERS_MAX
from bots.operations import market_pairs as operations
from bots.schemas.market_pairs import (
    Exchange,
    MarketImport,
    MarketImportOut,
    MarketPairOut,
    RejectedMarketOut,
    Symbol,
)
from kit.dependencies import CallerDep, Paging, RuntimeDep
from kit.preconditions import etag
from kit.problems import NotFound
from kit.responses import documented
from kit.routing import KitRoute
from kit.schemas import PageOut

IMPORT_BYTES_MAX = 16 * 1024 * 1024

router = APIRouter(prefix="/v1/market-pairs", route_class=KitRoute, tags=["market pairs"])

PairId = Annotated[str, Path(alias="pairId", min_length=1, max_length=PAIR_ID_CHARACTERS_MAX)]


async def pair_filters(
    exchange: Annotated[Exchange | None, Query()] = None,
    symbol: Annotated[Symbol | None, Query()] = None,
    state: Annotated[MarketState | None, Query()] = None,
) -> operations.PairFilters:
    """The query parameters of the list."""
    return operations.PairFilters(exchange=exchange, symbol=symbol, state=state)


def present(pair: MarketPair) -> MarketPairOut:
    """A pair as it travels."""
    return MarketPairOut.model_validate({**pair.model_dump(exclude={"id", "revision_id"}), "pair_id": pair.id})


@router.post(
    "/import",
    operation_id="importMarketPairs",
    openapi_extra={"x-body-bytes-max": IMPORT_BYTES_MAX},
)
async def import_market_pairs(*, runtime: RuntimeDep, caller: CallerDep, body: MarketImport) -> MarketImportOut:
    """Take an exchange's markets as ccxt delivers them; for admins. What is unusable is named, the rest is taken."""
    operations.require_importer(caller)
    outcome = await operations.import_markets(
        runtime.store, runtime.clock, body.exchange, body.precision_mode, body.markets
    )
    return MarketImportOut(
        exchange=outcome.exchange,
        received=outcome.received,
        created=outcome.created,
        updated=outcome.updated,
        unchanged=outcome.unchanged,
        rejected_count=outcome.rejected_count,
        rejected=[RejectedMarketOut.model_validate(rejection) for rejection in outcome.rejected],
    )


@router.get("", operation_id="listMarketPairs")
async def list_market_pairs(
    *,
    runtime: RuntimeDep,
    caller: CallerDep,
    filters: Annotated[operations.PairFilters, Depends(pair_filters)],
    page: Paging,
) -> PageOut[MarketPairOut]:
    """Pairs in order of their symbols."""
    pairs, next_cursor = await operations.list_pairs(runtime, caller, filters, page)
    return PageOut[MarketPairOut](items=[present(pair) for pair in pairs], next_cursor=next_cursor)


@router.get("/{pairId}", operation_id="getMarketPair", responses=documented(NotFound))
async def get_market_pair(
    *, runtime: RuntimeDep, caller: CallerDep, pair_id: PairId, response: Response
) -> MarketPairOut:
    """One pair by its id, such as binance:BTC-USDT."""
    pair = await operations.get_pair(runtime, caller, pair_id)
    response.headers["ETag"] = etag(pair.version)
    return present(pair)
