"""All invariants of the ledger, checked without changing anything, while the service runs or stands."""

from kit.store import Store
from staking.operations.accounts import KINDS
from staking.operations.audit.accounts import audit_accounts
from staking.operations.audit.books import audit_movements
from staking.operations.audit.pools import audit_pools
from staking.operations.audit.report import AuditReport
from staking.operations.audit.statements import audit_statements


async def audit_ledger(store: Store) -> AuditReport:
    """Reads every movement, entry, account, pool and stake, in pages; memory grows with the number of accounts."""
    report = AuditReport()
    books = await audit_movements(store, report, entry_kinds=[kind.rules.name for kind in KINDS if kind.rules.entries])
    await audit_accounts(store, KINDS, books, report)
    await audit_statements(store, report)
    await audit_pools(store, books, report)
    return report
