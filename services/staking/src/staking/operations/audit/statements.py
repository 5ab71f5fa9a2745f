"""Every statement for itself: gapless, and each running balance the one before plus the entry."""

from collections.abc import AsyncIterator
from typing import Any

from kit.store import Store
from staking.documents.balance import BalanceEntry, TokenBalance
from staking.operations.audit.pages import PAGE, pages
from staking.operations.audit.report import AuditReport

FIELDS = ("sequence", "account", "amount", "runningBalance")


async def audit_statements(store: Store, report: AuditReport) -> None:
    """Entries that are still owed are at the end of a statement, and no gap."""
    async for page in pages(
        store.collection(TokenBalance), {}, ("entryCount", "hasEntries", "available", "staked", "marks")
    ):
        report.count("balances", len(page))
        for balance in page:
            await _audit_statement(store, balance, report)


async def _audit_statement(store: Store, balance: dict[str, Any], report: AuditReport) -> None:
    user_id, counted, running = balance["_id"], 0, dict[str, int]()
    if balance.get("entryCount") and not balance.get("hasEntries"):
        report.find("entries-keep-their-user", user_id, "it has entries, but does not say so")
    async for entry in _entries(store, user_id):
        counted += 1
        account = entry["account"]
        running[account] = running.get(account, 0) + entry["amount"]
        if entry["sequence"] != counted:
            report.find("statement-gapless", user_id, f"entry {counted} has the sequence {entry['sequence']}")
            return
        if entry["runningBalance"] != running[account] or running[account] < 0:
            report.find(
                "statement-adds-up",
                user_id,
                f"entry {counted} says {entry['runningBalance']}, the sum is {running[account]}",
            )
            return
    await _check_end(store, balance, counted, running, report)


async def _check_end(
    store: Store, balance: dict[str, Any], counted: int, running: dict[str, int], report: AuditReport
) -> None:
    """No entry without a change: only where nobody changed the balance meanwhile."""
    now = await store.collection(TokenBalance).get(balance["_id"])
    if now is None or now.marks or balance.get("marks") or now.entry_count != balance.get("entryCount", 0):
        return
    if counted != now.entry_count:
        report.find("no-entry-without-change", now.id, f"{counted} entries, but {now.entry_count} changes")
    elif (running.get("available", 0), running.get("staked", 0)) != (now.available, now.staked):
        report.find("statement-adds-up", now.id, "its entries do not sum to its balance")


async def _entries(store: Store, user_id: str) -> AsyncIterator[dict[str, Any]]:
    entries, last = store.collection(BalanceEntry), 0
    while True:
        where = {"userId": user_id, "sequence": {"$gt": last}}
        page = await entries.rows(where, fields=FIELDS, sort=[("sequence", 1)], limit=PAGE)
        for entry in page:
            yield entry
        if len(page) < PAGE:
            return
        last = page[-1]["sequence"]
