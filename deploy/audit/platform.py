"""The audit of a whole platform: every relationship between its databases, both ways, and the ledger."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.openapi import openapi_documents, owners
from kit.clock import SystemClock
from kit.problems import ForeignRows
from kit.references.audits.audit import RECHECK_AFTER_S, audit, audit_owner
from kit.references.audits.audit_findings import REFERENCE, OwnerReport, Relationship, Report, relationships
from kit.references.audits.audit_sides import StoreChildSide, StoreOwnerSide, StoreParentSide
from kit.store import Store, StoreClient
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
        return self.report.is_clean


@dataclass(frozen=True)
class PlatformAudit:
    """What its owners report does not make it unclean: nothing dangles by that."""

    references: tuple[Audited, ...]
    owners: tuple[OwnerReport, ...]
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
            "owners": [one.body() for one in self.owners],
            "ledger": self.ledger.body(),
        }


async def audit_platform(url: str, prefix: str, *, is_live: bool) -> PlatformAudit:
    """Reads everything and changes nothing. Against live traffic a suspect is looked at again before it counts."""
    client = await StoreClient.connect(url)
    try:
        documents = openapi_documents()
        stores = {service: client.database(f"{prefix}_{service}") for service in documents}
        platform = _Platform(documents, stores, RECHECK_AFTER_S if is_live else 0)
        references, reports = await asyncio.gather(platform.references(), platform.owners())
        ledger = await audit_ledger(stores[LEDGER_SERVICE])
    finally:
        await client.close()
    return PlatformAudit(references, reports, ledger)


class _Platform:
    def __init__(
        self, documents: Mapping[str, Mapping[str, Any]], stores: Mapping[str, Store], recheck_after_s: float
    ) -> None:
        self._documents = documents
        self._stores = stores
        self._recheck_after_s = recheck_after_s
        self._owners = owners({service: dict(one) for service, one in documents.items()})
        self._relationships = [
            (service, one) for service, document in documents.items() for one in relationships(document["x-entities"])
        ]

    async def references(self) -> tuple[Audited, ...]:
        audits = [self._reference(service, one) for service, one in self._relationships]
        return tuple(await asyncio.gather(*audits))

    async def owners(self) -> tuple[OwnerReport, ...]:
        return tuple(await asyncio.gather(*(self._owner(service) for service in self._documents)))

    async def _reference(self, child_service: str, relationship: Relationship) -> Audited:
        owner = self._owners[relationship.parent]
        try:
            report = await audit(
                relationship,
                children=StoreChildSide(self._stores[child_service], SystemClock()),
                parents=StoreParentSide(self._stores[owner]),
                recheck_after_s=self._recheck_after_s,
            )
        except ForeignRows as foreign:
            report = Report(relationship)
            report.cut_short(foreign.detail)
        return Audited(report, owner, child_service)

    async def _owner(self, service: str) -> OwnerReport:
        """A registration of a service that was added by settings alone shows as undeclared: its document isn't here."""
        try:
            return await audit_owner(
                service,
                list(self._documents[service]["x-entities"]),
                owner=StoreOwnerSide(self._stores[service]),
                open_deletions=self._open_deletions,
                declared={(one.name, one.parent) for _, one in self._relationships if one.kind == REFERENCE},
                recheck_after_s=self._recheck_after_s,
            )
        except ForeignRows as foreign:
            report = OwnerReport(service)
            report.cut_short(foreign.detail)
            return report

    async def _open_deletions(self, ids: Collection[str]) -> dict[str, bool]:
        """Each deletion is kept by the service that its id begins with."""
        found: dict[str, bool] = {}
        for service, store in self._stores.items():
            mine = [one for one in ids if one.partition(".")[0] == service]
            if mine:
                found |= await StoreOwnerSide(store).open_deletions(mine)
        return found
