"""Entries of statements, written from what a settled document says is owed to its statement. Concurrent drivers
share their writes."""

from collections.abc import Iterable, Sequence

from kit.batching import Batcher
from kit.store import Store
from staking.documents.balance import BalanceEntry
from staking.domain.ledger import Movement, Place
from staking.domain.ledger_marks import EntryMark


class Entries:
    def __init__(self, store: Store) -> None:
        self._entries = store.collection(BalanceEntry)
        self._inserts: Batcher[tuple[BalanceEntry, ...], None] = Batcher(self._insert_all)

    async def write(self, movement: Movement, marks: Iterable[tuple[Place, EntryMark]]) -> None:
        """One entry for each mark; those that are there already stay as they are."""
        entries = tuple(entry_of(movement, place, mark) for place, mark in marks)
        if entries:
            await self._inserts.submit(entries)

    async def _insert_all(self, batch: Sequence[tuple[BalanceEntry, ...]]) -> list[BaseException | None]:
        unique = {entry.id: entry for entries in batch for entry in entries}
        await self._entries.insert_many(list(unique.values()))
        return [None] * len(batch)


def entry_id(movement_id: str, leg: int) -> str:
    return f"{movement_id}:{leg}"


def entry_of(movement: Movement, place: Place, mark: EntryMark) -> BalanceEntry:
    leg = movement.legs[mark.leg]
    return BalanceEntry(
        id=entry_id(movement.id, mark.leg),
        user_id=place.id,
        sequence=mark.sequence,
        account=leg.account.field,
        amount=leg.amount,
        running_balance=mark.running,
        movement_id=movement.id,
        kind=movement.kind,
        source=movement.source,
        reason=movement.reason,
        at=movement.at,
    )
