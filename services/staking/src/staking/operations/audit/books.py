"""The movements, added up: what every account must hold."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kit.store import Store
from staking.documents.balance import BalanceEntry
from staking.documents.movement import LedgerSweep, MovementRecord
from staking.domain.ledger import LEGS_MAX, State
from staking.operations.audit.pages import pages, rows_by_id
from staking.operations.audit.report import AuditReport
from staking.operations.ledger.entries import entry_id
from staking.operations.ledger.movements import SWEEP_ID

SWEEP_MARGIN = timedelta(seconds=60)
FIELDS = ("legs", "state", "posted", "open", "writtenAt", "accounts")
DECIDED = {
    State.POSTED.value: (True,),
    State.REFUSED.value: (False,),
    State.DONE.value: (True, False),
    State.PENDING.value: (None,),
}
"""What `posted` may be in each state."""


@dataclass
class Books:
    """By "kind:id" and field. `under_way` are the documents of movements that are not done."""

    totals: dict[tuple[str, str], int] = field(default_factory=dict)
    legs: dict[tuple[str, str], int] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)

    def total(self, place: object, name: str) -> int:
        return self.totals.get((str(place), name), 0)

    def total_of_field(self, kind: str, name: str) -> int:
        return sum(amount for (place, of), amount in self.totals.items() if of == name and place.startswith(f"{kind}:"))

    def add(self, movement: dict[str, Any], only: Collection[str] | None) -> None:
        if movement["state"] != State.DONE.value:
            self.under_way.update(movement["accounts"])
        if not movement.get("posted"):
            return
        for leg in movement["legs"]:
            place, name, amount = leg["account"], leg["field"], leg["amount"]
            if only is None or place in only:
                self.totals[place, name] = self.totals.get((place, name), 0) + amount
                self.legs[place, name] = self.legs.get((place, name), 0) + 1


async def read_books(store: Store, *, only: Collection[str] | None = None) -> Books:
    """With `only`, these documents' accounts alone."""
    books = Books()
    async for page in pages(store.collection(MovementRecord), {}, FIELDS):
        for movement in page:
            books.add(movement, only)
    return books


async def audit_movements(store: Store, report: AuditReport, *, entry_kinds: Collection[str]) -> Books:
    """Each movement for itself and against its entries; the books on the way."""
    books, stuck_before = Books(), await _swept_before(store)
    async for page in pages(store.collection(MovementRecord), {}, FIELDS):
        report.count("movements", len(page))
        for movement in page:
            _check(movement, stuck_before, report)
            books.add(movement, None)
        await _check_entries(store, page, entry_kinds, report)
    return books


async def _swept_before(store: Store) -> datetime | None:
    sweep = await store.collection(LedgerSweep).get(SWEEP_ID)
    return None if sweep is None else sweep.swept_before - SWEEP_MARGIN


def _check(movement: dict[str, Any], stuck_before: datetime | None, report: AuditReport) -> None:
    id_, legs, state = movement["_id"], movement["legs"], movement["state"]
    if sum(leg["amount"] for leg in legs) != 0:
        report.find("movement-balanced", id_, "its legs do not sum to zero")
    if not 0 < len(legs) <= LEGS_MAX:
        report.find("movement-bounded", id_, f"it has {len(legs)} legs")
    if movement.get("posted") not in DECIDED.get(state, ()):
        report.find("movement-decided", id_, f"it is {state} and posted is {movement.get('posted')}")
    if movement.get("open"):
        report.count("movements under way")
        if stuck_before is not None and movement["writtenAt"] < stuck_before:
            report.find("nothing-pending", id_, f"it is {state} although sweeps have run since it was written")


async def _check_entries(
    store: Store, page: list[dict[str, Any]], entry_kinds: Collection[str], report: AuditReport
) -> None:
    expected = {
        entry_id(movement["_id"], index): leg
        for movement in page
        if movement.get("posted") and movement["state"] == State.DONE.value
        for index, leg in enumerate(movement["legs"])
        if leg["account"].partition(":")[0] in entry_kinds
    }
    found = await rows_by_id(store.collection(BalanceEntry), list(expected), ("userId", "account", "amount"))
    report.count("entries", len(found))
    for id_, leg in expected.items():
        entry = found.get(id_)
        if entry is None:
            report.find("no-change-without-entry", id_, "the movement is done, but has no such entry")
        elif (entry["userId"], entry["account"], entry["amount"]) != (
            leg["account"].partition(":")[2],
            leg["field"],
            leg["amount"],
        ):
            report.find("entry-true", id_, "it tells something else than its movement")
