"""Every document that has accounts against the books."""

import asyncio
from collections.abc import Sequence
from typing import Any

from kit.store import Store
from staking.domain.ledger import Place
from staking.domain.ledger_kinds import KindRules
from staking.domain.ledger_marks import Snapshot, snapshot_of
from staking.operations.audit.books import Books, read_books
from staking.operations.audit.pages import pages, rows_by_id
from staking.operations.audit.report import AuditReport
from staking.operations.ledger.kinds import AccountKind

ROUNDS_MAX = 3
PAUSE_S = 0.5
SUSPECTS_MAX = 10_000


async def audit_accounts(store: Store, kinds: Sequence[AccountKind], books: Books, report: AuditReport) -> None:
    """balance + holds = opening + Σ posted legs, and nothing below its floor.

    A document that does not add up counts only if it still does not while nobody changes it: others may be moving it
    between the reading of the movements and of the document.
    """
    known: set[str] = set()
    suspects: dict[str, AccountKind] = {}
    for kind in kinds:
        async for page in pages(store.collection(kind.document), _of_kind(kind), account_fields(kind.rules)):
            report.count("documents with accounts", len(page))
            for row in page:
                seen = snapshot_of(kind.rules, row)
                known.add(str(seen.place))
                _check_floors(kind.rules, seen, report)
                if _is_busy(seen, books) or _differences(kind.rules, seen, books):
                    suspects[str(seen.place)] = kind
    for place, _ in books.totals:
        if place not in known and place not in books.under_way:
            report.find("account-exists", place, "movements name it, but there is no such document")
    await _settle_suspects(store, suspects, report)


async def _settle_suspects(store: Store, suspects: dict[str, AccountKind], report: AuditReport) -> None:
    for _ in range(ROUNDS_MAX):
        if not suspects:
            return
        before = await _read(store, suspects)
        books = await read_books(store, only=suspects)
        after = await _read(store, suspects)
        for place, kind in list(suspects.items()):
            seen = after.get(place)
            if seen is None or place not in before or seen.version != before[place].version or _is_busy(seen, books):
                continue
            del suspects[place]
            for difference in _differences(kind.rules, seen, books):
                report.find("balance-is-sum-of-legs", place, difference)
        await asyncio.sleep(PAUSE_S if suspects else 0)
    report.unsettled += len(suspects)


async def _read(store: Store, suspects: dict[str, AccountKind]) -> dict[str, Snapshot]:
    by_kind: dict[str, tuple[AccountKind, list[str]]] = {}
    for place, kind in suspects.items():
        by_kind.setdefault(kind.rules.name, (kind, []))[1].append(place.partition(":")[2])
    found: dict[str, Snapshot] = {}
    for kind, ids in by_kind.values():
        rows = await rows_by_id(store.collection(kind.document), ids, account_fields(kind.rules))
        found |= {str(Place(kind.rules.name, id_)): snapshot_of(kind.rules, row) for id_, row in rows.items()}
    return found


def account_fields(rules: KindRules) -> tuple[str, ...]:
    openings = (amount.opening for amount in rules.amounts if amount.opening is not None)
    return ("version", "marks", "entryCount", *(amount.name for amount in rules.amounts), *rules.reads, *openings)


def _of_kind(kind: AccountKind) -> dict[str, Any]:
    return {} if kind.ids is None else {"_id": {"$in": sorted(kind.ids)}}


def _is_busy(seen: Snapshot, books: Books) -> bool:
    return bool(seen.marks) or str(seen.place) in books.under_way


def _differences(rules: KindRules, seen: Snapshot, books: Books) -> list[str]:
    differences = []
    for amount in rules.amounts:
        expected = rules.opening(amount.name, seen.fields) + books.total(seen.place, amount.name)
        if seen.amount(amount.name) != expected:
            differences.append(f"{amount.name} is {seen.amount(amount.name)}, its movements make it {expected}")
    if rules.entries:
        legs = sum(books.legs.get((str(seen.place), amount.name), 0) for amount in rules.amounts)
        if seen.entry_count != legs:
            differences.append(f"it counts {seen.entry_count} entries, its movements have {legs} legs there")
    return differences


def _check_floors(rules: KindRules, seen: Snapshot, report: AuditReport) -> None:
    for amount in rules.amounts:
        if seen.amount(amount.name) < amount.floor:
            report.find("never-below-zero", seen.place, f"{amount.name} is {seen.amount(amount.name)}")
