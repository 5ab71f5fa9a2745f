"""Market pairs: import and read. An import may run again, or beside another, and changes only what differs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from bots.documents.market_pairs import (
    MarketPair,
    StoredBounds,
    StoredDigits,
    StoredLimits,
    StoredPrecision,
)
from bots.domain.market_import import Market, MarketReader, MarketState, Rejection, named_markets
from bots.domain.market_symbols import parse_pair_id
from bots.domain.tick_sizes import PrecisionMode
from kit.clock import Clock
from kit.identity import ADMIN, Caller, not_found
from kit.paging import PageRequest, SortFields, fetch_page
from kit.problems import Unavailable
from kit.runtime import Runtime
from kit.store import Store
from kit.store.codec import to_row

NOUN = "market pair"
BATCH_MAX = 500
ATTEMPTS_MAX = 5
REJECTED_SHOWN_MAX = 1000
PAIR_SORT = SortFields(
    allowed={"symbol": "symbol", "createdAt": "createdAt", "updatedAt": "updatedAt"}, default="symbol"
)
_KEPT = frozenset({"_id", "version", "createdAt", "updatedAt"})


@dataclass
class ImportOutcome:
    """What became of the markets of one import; `rejected` has the first ones."""

    exchange: str
    received: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected_count: int = 0
    rejected: list[Rejection] = field(default_factory=list)

    def reject(self, rejection: Rejection) -> None:
        self.rejected_count += 1
        if len(self.rejected) < REJECTED_SHOWN_MAX:
            self.rejected.append(rejection)


@dataclass(frozen=True)
class PairFilters:
    exchange: str | None
    symbol: str | None
    state: MarketState | None

    def stored(self) -> dict[str, Any]:
        wanted = {"exchange": self.exchange, "symbol": self.symbol, "state": self.state and self.state.value}
        return {name: value for name, value in wanted.items() if value is not None}


def require_importer(caller: Caller) -> None:
    """Raises Forbidden for everybody but admins."""
    caller.require_role(ADMIN)


async def import_markets(
    store: Store,
    clock: Clock,
    exchange: str,
    mode: PrecisionMode,
    markets: Mapping[str, Any] | Sequence[Any],
) -> ImportOutcome:
    """Take an exchange's markets: good ones are created or brought up to date, bad ones are named. Raises
    Unavailable."""
    outcome = ImportOutcome(exchange)
    reader = MarketReader(exchange, mode, clock.now())
    waiting = iter(named_markets(markets))
    while batch := list(islice(waiting, BATCH_MAX)):
        outcome.received += len(batch)
        good: list[Market] = []
        for name, market in batch:
            read = reader.read(name, market)
            if isinstance(read, Market):
                good.append(read)
            else:
                outcome.reject(read)
        await _save(store, clock, good, outcome)
    return outcome


async def get_pair(runtime: Runtime, caller: Caller, pair_id: str) -> MarketPair:
    """One pair. Raises NotFound."""
    caller.require_signed_in()
    pair = await runtime.store.collection(MarketPair).get(pair_id) if parse_pair_id(pair_id) else None
    if pair is None:
        raise not_found(NOUN)
    return pair


async def list_pairs(
    runtime: Runtime, caller: Caller, filters: PairFilters, page: PageRequest
) -> tuple[list[MarketPair], str | None]:
    caller.require_signed_in()
    pairs = runtime.store.collection(MarketPair)
    return await fetch_page(pairs, filters.stored(), page, PAIR_SORT, runtime.cursor_key)


async def _save(store: Store, clock: Clock, markets: Iterable[Market], outcome: ImportOutcome) -> None:
    pairs = store.collection(MarketPair)
    pending = {market.pair_id: _document(market, clock) for market in markets}
    sent: set[str] = set()
    for _ in range(ATTEMPTS_MAX):
        if not pending:
            return
        found = {pair.id: pair for pair in await pairs.find({"_id": {"$in": list(pending)}}, limit=len(pending))}
        changed: list[tuple[MarketPair, dict[str, Any]]] = []
        for pair_id, stored in found.items():
            update = _difference(stored, pending[pair_id])
            if update is None:
                del pending[pair_id]
                outcome.updated += pair_id in sent
                outcome.unchanged += pair_id not in sent
            else:
                changed.append((stored, update))
        new = [pair for pair_id, pair in pending.items() if pair_id not in found]
        taken = await pairs.insert_many(new)
        outcome.created += len(new) - len(taken)
        for position, pair in enumerate(new):
            if position not in taken:
                del pending[pair.id]
        sent.update(pair.id for pair, _ in changed)
        conditions = [({"_id": pair.id, "version": pair.version}, update) for pair, update in changed]
        if await pairs.bulk_update(conditions) == len(conditions):
            outcome.updated += len(changed)
            for pair, _ in changed:
                del pending[pair.id]
    if pending:
        raise Unavailable("The markets are being changed by many at once; try again.")


def _difference(stored: MarketPair, wanted: MarketPair) -> dict[str, Any] | None:
    """The update that makes the stored pair the wanted one, None if it is."""
    before, after = _content(stored), _content(wanted)
    if before == after:
        return None
    gone = dict.fromkeys(before.keys() - after.keys(), "")
    update: dict[str, Any] = {"$set": {**after, "updatedAt": wanted.updated_at}, "$inc": {"version": 1}}
    return {**update, "$unset": gone} if gone else update


def _content(pair: MarketPair) -> dict[str, Any]:
    return {name: value for name, value in to_row(pair).items() if name not in _KEPT}


def _document(market: Market, clock: Clock) -> MarketPair:
    now = clock.now()
    return MarketPair(
        id=market.pair_id,
        exchange=market.exchange,
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        settle=market.settle,
        type=market.type,
        precision=StoredPrecision(**market.precision),
        significant_digits=StoredDigits(**market.significant_digits),
        limits=StoredLimits(**{name: StoredBounds(**bounds) for name, bounds in market.limits.items()}),
        maker=market.maker,
        taker=market.taker,
        state=market.state,
        delist_at=market.delist_at,
        created_at=now,
        updated_at=now,
    )
