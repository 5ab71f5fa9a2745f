"""What a service keeps of audits: its part of each, under the audit's id. Whoever drives it may die, and another goes
on with what is left."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar

from kit.clock import Clock
from kit.documents import Record
from kit.references.declaration import SEPARATOR
from kit.schemas import format_timestamp
from kit.store import DuplicateKey, Index, Store, index
from kit.store.rows import Row, Rows

NAME = "reference_audits"
REPORTS_NAME = "reference_audit_reports"
FIGURES_NAME = "reference_audit_figures"
KEPT_MAX = 50
REPORTS_MAX = 2_000
RUNNING = "running"
DONE = "done"
FAILED = "failed"
_PLAN = ("asked", "planned")


class ReferenceAudit(Record):
    """`id` is the audit's. `asked` are the names that its request had, none for all of them (None in a record of an
    older version); `planned` what that came to, the relationships of every service, and `unknown` the services of which
    none is known. `beat` counts the signs of life of who drives this service's part, the `holder`."""

    asked: list[str] | None = None
    planned: list[dict[str, Any]]
    services: list[str]
    unknown: list[str]
    started_at: datetime
    started_by: str
    state: str
    beat: int = 0
    holder: str
    reason: str | None = None
    owner: dict[str, Any] | None = None
    orphan_count: int = 0
    finished_at: datetime | None = None

    class Settings:
        name = NAME
        indexes: ClassVar[tuple[Index, ...]] = (index("startedAt"), index("state"))


class ReferenceAuditReport(Record):
    """`id` is "<audit>|<relationship>|<parent>|<discriminator's value>"."""

    audit: str
    report: dict[str, Any]
    checked_at: datetime

    class Settings:
        name = REPORTS_NAME
        indexes: ClassVar[tuple[Index, ...]] = (index("audit"),)


class ReferenceAuditFigure(Record):
    """What the last audit that read all of a relationship says of it; `id` is as a report's, without the audit."""

    relationship: str
    parent: str
    orphan_count: int
    children_read: int
    checked_at: datetime

    class Settings:
        name = FIGURES_NAME


class AuditRecords:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._heads = store.rows(NAME)
        self._reports = store.rows(REPORTS_NAME)
        self._figures = store.rows(FIGURES_NAME)
        self._clock = clock

    async def begin(self, head: Mapping[str, Any]) -> bool:
        """False if the audit is known already. Forgets the oldest beyond KEPT_MAX."""
        row: Row = {**head, "startedAt": self._clock.now(), "state": RUNNING, "beat": 0, "orphanCount": 0}
        try:
            await self._heads.insert(row)
        except DuplicateKey:
            return False
        await self._forget()
        return True

    async def find(self, audit_id: str) -> dict[str, Any] | None:
        """The head with its reports."""
        head = await self._heads.find_one({"_id": audit_id})
        if head is None:
            return None
        reports = await self._reports.find({"audit": audit_id}, sort=[("_id", 1)], limit=REPORTS_MAX)
        return {**head_body(head), "reports": [_report_body(one) for one in reports]}

    async def latest(self, limit: int) -> list[dict[str, Any]]:
        """The newest first, without their plans."""
        heads = await self._heads.find({}, sort=[("startedAt", -1), ("_id", -1)], limit=min(limit, KEPT_MAX))
        return [{name: value for name, value in head_body(one).items() if name not in _PLAN} for one in heads]

    async def running(self) -> list[dict[str, Any]]:
        heads = await self._heads.find({"state": RUNNING}, sort=[("startedAt", 1)], limit=KEPT_MAX)
        return [head_body(one) for one in heads]

    async def beat(self, audit_id: str, beat: int, holder: str) -> bool:
        """From `beat` to the next, by compare-and-set; False if somebody else holds the part, or it has ended. A
        beat whose answer was lost may be sent again."""
        held = await self._heads.update_one(
            {"_id": audit_id, "state": RUNNING, "beat": beat}, {"$set": {"beat": beat + 1, "holder": holder}}
        )
        if held:
            return True
        mine = {"_id": audit_id, "state": RUNNING, "beat": beat + 1, "holder": holder}
        return await self._heads.find_one(mine, fields=["_id"]) is not None

    async def save(self, audit_id: str, report: Mapping[str, Any]) -> bool:
        """False if the audit is not known here."""
        if await self._heads.find_one({"_id": audit_id}, fields=["_id"]) is None:
            return False
        key = SEPARATOR.join((report["relationship"], report["parent"], report.get("value") or ""))
        now = self._clock.now()
        said = {"audit": audit_id, "report": dict(report), "checkedAt": now}
        await _put(self._reports, f"{audit_id}{SEPARATOR}{key}", said)
        if report.get("isComplete"):
            names = ("relationship", "parent", "orphanCount", "childrenRead")
            await _put(self._figures, key, {**{name: report[name] for name in names}, "checkedAt": now})
        return True

    async def finish(self, audit_id: str, owner: Mapping[str, Any] | None, reason: str | None) -> bool:
        """False if it has ended already."""
        reports = await self._reports.find({"audit": audit_id}, limit=REPORTS_MAX)
        values: dict[str, Any] = {
            "state": DONE if reason is None else FAILED,
            "orphanCount": sum(int(one["report"].get("orphanCount", 0)) for one in reports),
            "finishedAt": self._clock.now(),
        }
        if owner is not None:
            values["owner"] = dict(owner)
        if reason is not None:
            values["reason"] = reason
        return await self._heads.update_one({"_id": audit_id, "state": RUNNING}, {"$set": values})

    async def figures(self) -> list[dict[str, Any]]:
        """Of every relationship, what the last audit that read it all says, with its age."""
        now = self._clock.now()
        return [
            {
                "relationship": one["relationship"],
                "parent": one["parent"],
                "orphanCount": one["orphanCount"],
                "childrenRead": one["childrenRead"],
                "ageS": (now - one["checkedAt"]).total_seconds(),
            }
            for one in await self._figures.find({}, sort=[("_id", 1)], limit=REPORTS_MAX)
        ]

    async def _forget(self) -> None:
        old = await self._heads.find(
            {}, fields=["_id"], sort=[("startedAt", -1), ("_id", -1)], skip=KEPT_MAX, limit=KEPT_MAX
        )
        if old:
            ids = [one["_id"] for one in old]
            await self._reports.delete_many({"audit": {"$in": ids}})
            await self._heads.delete_many({"_id": {"$in": ids}})


async def _put(rows: Rows, key: str, values: Mapping[str, Any]) -> None:
    if not await rows.update_one({"_id": key}, {"$set": values}):
        with suppress(DuplicateKey):  # the same was put there by whoever drove it before
            await rows.insert({"_id": key, **values})


def head_body(head: Row) -> dict[str, Any]:
    finished_at = head.get("finishedAt")
    return {
        "auditId": head["_id"],
        "asked": head.get("asked"),
        "planned": head["planned"],
        "services": head["services"],
        "unknown": head["unknown"],
        "startedAt": format_timestamp(head["startedAt"]),
        "startedBy": head["startedBy"],
        "state": head["state"],
        "beat": head["beat"],
        "reason": head.get("reason"),
        "owner": head.get("owner"),
        "orphanCount": head["orphanCount"],
        "finishedAt": None if finished_at is None else format_timestamp(finished_at),
    }


def _report_body(row: Row) -> dict[str, Any]:
    return {**row["report"], "checkedAt": format_timestamp(row["checkedAt"])}
