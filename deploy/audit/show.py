"""An audit as tables."""

from collections.abc import Collection

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.audit.platform import Audited, PlatformAudit
from kit.references.audits.audit_findings import AHEAD, BARRING, PART, STALE, OwnerReport

SHOWN_MAX = 20
_CLOSURES = {
    AHEAD: "of a delete that its owner does not know: raise the epoch (docs/runbook.md)",
    BARRING: "though its owner deletes nothing: raise the epoch (docs/runbook.md)",
    STALE: "of an attempt that is over: the next write mends it",
}


def show_audit(audit: PlatformAudit, console: Console) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("reference", "parent", "owner ← child", "read", "orphans", "intents", "odd closures"):
        table.add_column(column, justify="left" if column in {"reference", "parent", "owner ← child"} else "right")
    for one in audit.references:
        table.add_row(*_row(one))
    console.print(table)
    for one in audit.references:
        _show_orphans(one, console)
    read_here = {owner.service for owner in audit.owners}
    for owner in audit.owners:
        _show_owner(owner, read_here, console)
    _show_ledger(audit, console)
    read = sum(one.report.children_read for one in audit.references)
    verdict = "no orphan, every invariant holds" if audit.is_clean else f"NOT CLEAN: {_wrong(audit)}"
    style = "bold green" if audit.is_clean else "bold red"
    console.print(Text(f"{read} references read over {len(audit.references)} relationships: {verdict}", style=style))


def _wrong(audit: PlatformAudit) -> str:
    orphans = sum(len(one.report.orphans) for one in audit.references)
    broken = len(audit.ledger.findings) + audit.ledger.findings_omitted
    unread = sum(not one.report.is_complete for one in audit.references)
    counted = {"orphans": orphans, "broken invariants": broken, "relationships not read whole": unread}
    return ", ".join(f"{what} {number}" for what, number in counted.items() if number)


def _row(one: Audited) -> list[Text]:
    report = one.report
    relationship = report.relationship
    where = one.owner if one.owner == one.child_service else f"{one.owner} ← {one.child_service}"
    if relationship.kind == PART:
        where = f"{one.owner}, parts"
    name = relationship.name if relationship.value is None else f"{relationship.name} ({relationship.value})"
    orphans = Text(str(len(report.orphans)), style="red" if report.orphans else "green")
    if not report.is_complete:
        orphans.append(" or more", style="red")
    oldest = max((intent.age_s or 0.0 for intent in report.intents), default=None)
    intents = str(len(report.intents)) if oldest is None else f"{len(report.intents)}, oldest {oldest:.0f} s"
    plain = (name, relationship.parent, where, str(report.children_read))
    return [*map(Text, plain), orphans, Text(intents), Text(str(report.closure_count))]


def _show_orphans(one: Audited, console: Console) -> None:
    for orphan in one.report.orphans[:SHOWN_MAX]:
        line = f"  {one.report.relationship.name}: {orphan.child_id} names {orphan.parent_id}, {orphan.reason}"
        console.print(Text(line, style="red"), soft_wrap=True)
    if len(one.report.orphans) > SHOWN_MAX:
        console.print(Text(f"  and {len(one.report.orphans) - SHOWN_MAX} more", style="red"))
    if not one.report.is_complete:
        line = f"  {one.report.relationship.name} was not read whole: {one.report.reason}"
        console.print(Text(line, style="red"), soft_wrap=True)
    for closure in one.report.closures[:SHOWN_MAX]:
        line = f"  closure {closure.key} is {closure.kind}: {_CLOSURES[closure.kind]}"
        console.print(Text(line, style="yellow"), soft_wrap=True)


def _show_owner(report: OwnerReport, read_here: Collection[str], console: Console) -> None:
    lines = [
        f"{one.entity} {one.id} stays in {one.state}, and no open deletion brings it to an end" for one in report.stuck
    ]
    lines += [
        f"{one.relationship} to {one.parent} is registered by {one.service}, which "
        + ("does not declare it" if one.service in read_here else "is not read here: ask GET /v1/references")
        for one in report.undeclared
    ]
    if not report.is_complete:
        lines.append(f"{report.service}: {report.reason}")
    for line in lines[:SHOWN_MAX]:
        console.print(Text(f"  {line}", style="yellow"), soft_wrap=True)
    if len(lines) > SHOWN_MAX:
        console.print(Text(f"  and {len(lines) - SHOWN_MAX} more", style="yellow"))


def _show_ledger(audit: PlatformAudit, console: Console) -> None:
    ledger = audit.ledger
    counted = ", ".join(f"{what} {number}" for what, number in sorted(ledger.counted.items()))
    console.print(Text(f"ledger: {counted or 'nothing yet'}"), soft_wrap=True)
    if ledger.unsettled:
        console.print(Text(f"  {ledger.unsettled} documents changed too often to be compared", style="yellow"))
    for finding in ledger.findings[:SHOWN_MAX]:
        line = f"  {finding.invariant}: {finding.subject}: {finding.detail}"
        console.print(Text(line, style="red"), soft_wrap=True)
    omitted = len(ledger.findings) - SHOWN_MAX + ledger.findings_omitted
    if omitted > 0:
        console.print(Text(f"  and {omitted} more", style="red"))
