"""The audit of a whole platform: every relationship between its databases, and the ledger."""

import asyncio
from dataclasses import dataclass
from typing import Any

from deploy.openapi import openapi_documents, owners
from kit.clock import SystemClock
from kit.references.audit import RECHECK_AFTER_S, Relationship, Report, audit, relationships
from kit.store import StoreClient
from staking.operations.audit.audit import audit_ledger
from staking.operations.audit.report import AuditReport

LEDGER_SERVICE = "staking"


@dataclass(frozen=True)
class Audited:
    """One relationship, with the services on both sides."""

    report: Report
    owner: str
    child_service: str

    @property
    def is_clean(self) -> bool:
        return self.report.is_complete and not self.report.orphans


@dataclass(frozen=True)
class PlatformAudit:
    references: tuple[Audited, ...]
    ledger: AuditReport

    @property
    def is_clean(self) -> bool:
        return self.ledger.is_clean and all(one.is_clean for one in self.references)

    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "clean": self.is_clean,
            "orphanCount": sum(len(one.report.orphans) for one in self.references),
            "relationships": [one.report.body() for one in self.references],
            "ledger": self.ledger.body(),
        }


async def audit_platform(url: str, prefix: str, *, is_live: bool) -> PlatformAudit:
    """Reads everything and changes nothing. Against live traffic a suspect is looked at again before it counts."""
    documents = openapi_documents()
    services = owners(documents)
    client = await StoreClient.connect(url)
    try:
        stores = {service: client.database(f"{prefix}_{service}") for service in documents}

        async def one(relationship: Relationship, child_service: str) -> Audited:
            owner = services[relationship.parent]
            report = await audit(
                relationship,
                children=stores[child_service],
                parents=stores[owner],
                clock=SystemClock(),
                recheck_after_s=RECHECK_AFTER_S if is_live else 0,
            )
            return Audited(report, owner, child_service)

        audits = [
            one(relationship, service)
            for service, document in documents.items()
            for relationship in relationships(document["x-entities"])
        ]
        references = await asyncio.gather(*audits)
        ledger = await audit_ledger(stores[LEDGER_SERVICE])
    finally:
        await client.close()
    return PlatformAudit(tuple(references), ledger)
