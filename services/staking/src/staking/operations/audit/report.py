"""What an audit of the ledger found."""

from dataclasses import dataclass, field
from typing import Any

FINDINGS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken invariant: which, where, and what was found there."""

    invariant: str
    subject: str
    detail: str


@dataclass
class AuditReport:
    """`counted` says how much was looked at. `unsettled` counts documents that others kept changing, so that their
    sums could not be compared; at rest there are none."""

    counted: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    findings_omitted: int = 0
    unsettled: int = 0

    @property
    def is_clean(self) -> bool:
        return not self.findings

    def count(self, what: str, number: int = 1) -> None:
        self.counted[what] = self.counted.get(what, 0) + number

    def find(self, invariant: str, subject: object, detail: str) -> None:
        """Findings beyond FINDINGS_MAX are counted only."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(invariant, str(subject), detail))
        else:
            self.findings_omitted += 1

    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "clean": self.is_clean,
            "counted": dict(sorted(self.counted.items())),
            "unsettled": self.unsettled,
            "findings": [
                {"invariant": one.invariant, "subject": one.subject, "detail": one.detail} for one in self.findings
            ],
            "findingsOmitted": self.findings_omitted,
        }
