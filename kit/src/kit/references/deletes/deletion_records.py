"""What is kept of each delete at the owner of its root: for whoever asked, and for whoever goes on with it after a
crash. The row of the parent decides; a record that lags behind is brought up to it when it is looked at."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from kit.clock import Clock
from kit.documents import Record
from kit.schemas import format_timestamp
from kit.store import Index, Store, index
from kit.store.rows import Row
from kit.store.sessions import Session

NAME = "reference_deletions"
KEPT_DAYS = 30
UNFINISHED_MAX = 500
PURGED_MAX = 1_000
PURGES_MAX = 100
PURGE_INTERVAL_S = 3600.0

DELETING = "deleting"
PURGING = "purging"
DONE = "done"
REFUSED = "refused"
OVERTAKEN = "overtaken"
ABANDONED = "abandoned"
"""Never begun: the mark did not arrive."""

FINAL = frozenset({DONE, REFUSED, OVERTAKEN, ABANDONED})


class ReferenceDeletion(Record):
    """`id` is "<service>.<uuid>". `open` is true until it is final, then absent. `beat` counts the coordinators'
    reports. `other` is the deletion by which this one was overtaken."""

    entity: str
    document_id: str
    requested_by: str | None = None
    state: str
    epoch: int
    open: bool | None = None
    beat: int = 0
    step: str
    waiting_for: list[dict[str, str]]
    progress: dict[str, int]
    blocked_by: list[dict[str, Any]] | None = None
    other: str | None = None
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None

    class Settings:
        name = NAME
        indexes: ClassVar[tuple[Index, ...]] = (index("open"), index("finishedAt"))


class DeletionRecords:
    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._rows = store.rows(NAME)
        self._clock = clock

    async def insert(
        self, deletion_id: str, entity: str, document_id: str, epoch: int, requested_by: str | None
    ) -> None:
        now = self._clock.now()
        row: Row = {
            "_id": deletion_id,
            "entity": entity,
            "documentId": document_id,
            "state": DELETING,
            "epoch": epoch,
            "open": True,
            "beat": 0,
            "step": "begin",
            "waitingFor": [],
            "progress": {},
            "startedAt": now,
            "updatedAt": now,
        }
        if requested_by is not None:
            row["requestedBy"] = requested_by
        await self._rows.insert(row)

    async def find(self, deletion_id: str, *, session: Session | None = None) -> Row | None:
        """As of now: a deposed primary must not say that a deletion just begun is none."""
        if session is not None:
            return await self._rows.find_one({"_id": deletion_id}, session=session)
        async with self._store.session(fenced=True) as own:
            return await self._rows.find_one({"_id": deletion_id}, session=own)

    async def unfinished(self) -> list[Row]:
        """Those first of which nobody has said anything for longest: where there are too many, each has its turn."""
        return await self._rows.find({"open": True}, sort=[("updatedAt", 1), ("_id", 1)], limit=UNFINISHED_MAX)

    async def set(self, deletion_id: str, values: Mapping[str, Any]) -> None:
        """Nothing happens to one that is final."""
        await self._rows.update_one(
            {"_id": deletion_id, "open": True}, {"$set": {**values, "updatedAt": self._clock.now()}}
        )

    async def report(
        self, deletion_id: str, *, step: str, waiting_for: Sequence[Mapping[str, str]], progress: Mapping[str, int]
    ) -> None:
        said = {"step": step, "waitingFor": [dict(one) for one in waiting_for], "progress": dict(progress)}
        await self._rows.update_one(
            {"_id": deletion_id, "open": True},
            {"$set": {**said, "updatedAt": self._clock.now()}, "$inc": {"beat": 1}},
        )

    async def end(self, deletion_id: str, state: str, **more: Any) -> None:
        now = self._clock.now()
        values = {"state": state, "step": state, "waitingFor": [], "updatedAt": now, "finishedAt": now, **more}
        await self._rows.update_one({"_id": deletion_id, "open": True}, {"$set": values, "$unset": {"open": ""}})

    async def remove(self, deletion_id: str) -> None:
        """One that was never begun."""
        await self._rows.delete_one({"_id": deletion_id})

    async def purge(self) -> None:
        """Forgets what is final since KEPT_DAYS."""
        before = self._clock.now() - timedelta(days=KEPT_DAYS)
        for _ in range(PURGES_MAX):
            old = await self._rows.find({"finishedAt": {"$lt": before}}, fields=["_id"], limit=PURGED_MAX)
            if old:
                await self._rows.delete_many({"_id": {"$in": [row["_id"] for row in old]}})
            if len(old) < PURGED_MAX:
                return


def deletion_body(row: Row) -> dict[str, Any]:
    """As it travels."""
    said: dict[str, Any] = {
        "deletionId": row["_id"],
        "entity": row["entity"],
        "id": row["documentId"],
        "state": row["state"],
        "step": row["step"],
        "waitingFor": row["waitingFor"],
        "progress": row["progress"],
        "requestedBy": row.get("requestedBy"),
        "startedAt": format_timestamp(row["startedAt"]),
        "updatedAt": format_timestamp(row["updatedAt"]),
        "finishedAt": format_timestamp(row["finishedAt"]) if row.get("finishedAt") else None,
    }
    if row["state"] == REFUSED and row.get("blockedBy"):
        said["blockedBy"] = row["blockedBy"]
    if row.get("other"):
        said["overtakenBy"] = row["other"]
    return said
