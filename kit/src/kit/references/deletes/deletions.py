"""The owner's half of a delete: every arrow of the root's life, each a compare-and-set on (state, epoch).

Whoever coordinates may die after any of them and any other goes on: `resume` says where from. The record is written
before the mark, so that no marked document is without one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kit.clock import Clock
from kit.fault_points import reached
from kit.identity import ADMIN, Caller
from kit.ids import new_id
from kit.problems import NotFound, Unavailable, VersionMismatch
from kit.references.closures import Closures
from kit.references.deletes import deletion_records as records
from kit.references.deletes.deleting import DeletePlan
from kit.references.deletes.deletion_records import FINAL, DeletionRecords, deletion_body
from kit.references.deletes.parent_states import ParentAt, ParentState, Step, parent_at
from kit.references.deletes.parts import Parts
from kit.references.registry import RegisteredRelationship, Registry
from kit.store import Store
from kit.store.hidden import INTENT_KIND, NOT_AN_INTENT, PARENT_STATE, is_create_intent
from kit.store.rows import Row

TRIES_MAX = 5
BLOCKED_IDS_MAX = 10
CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a deletion stands. `state` is the record's; "changed" if the document is no longer as its delete wants it,
    which the deleter explains when it is asked again. `relationships` are those that a coordinator has to ask, `fresh`
    says that this call purged it, `requested_by` who asked for it first."""

    state: str
    deletion_id: str = ""
    entity: str = ""
    id: str = ""
    epoch: int = 0
    relationships: tuple[Mapping[str, Any], ...] = ()
    blocked_by: tuple[Mapping[str, Any], ...] = ()
    other: str | None = None
    fresh: bool = False
    requested_by: str | None = None
    progress: Mapping[str, int] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "deletionId": self.deletion_id,
            "entity": self.entity,
            "id": self.id,
            "epoch": self.epoch,
            "relationships": [dict(one) for one in self.relationships],
            "blockedBy": [dict(one) for one in self.blocked_by],
            "other": self.other,
            "fresh": self.fresh,
            "requestedBy": self.requested_by,
            "progress": dict(self.progress),
        }


class Deletions:
    def __init__(self, store: Store, registry: Registry, parts: Parts, closures: Closures, *, clock: Clock) -> None:
        self._store = store
        self._registry = registry
        self._parts = parts
        self._clock = clock
        self._closures = closures
        self.records = DeletionRecords(store, clock=clock)

    async def is_in_deletion(self, entity: str, document_id: str) -> bool:
        """Whether it is marked or being purged, by its own delete or another's. Nothing may depend on it."""
        row = await self._store.rows(entity).find_one({"_id": document_id}, fields=[PARENT_STATE])
        return row is not None and parent_at(row).state is not ParentState.ACTIVE

    async def begin(self, service: str, entity: str, plan: DeletePlan, requested_by: str | None) -> Standing:
        """Marks the document, or finds the deletion that it is in already. Raises NotFound, VersionMismatch."""
        for _ in range(TRIES_MAX):
            row = await self._row(entity, plan.id)
            if row is None:
                raise NotFound("There is nothing at this path.")
            if plan.version is not None and row.get("version") != plan.version:
                raise VersionMismatch("Read the document again and delete its current version.")
            at = parent_at(row)
            deletion_id = f"{service}.{new_id()}"
            if at.state is not ParentState.ACTIVE:
                joined = await self._joined(at, entity, plan.id, deletion_id, requested_by)
                if joined is None:
                    continue
                return joined
            if await self._mark(entity, plan, at, deletion_id, requested_by):
                return await self.resume(deletion_id)
            again = await self._row(entity, plan.id)
            if again is not None and parent_at(again) == at:
                return Standing(CHANGED, entity=entity, id=plan.id)
        raise Unavailable("The document is being deleted and refused by many at once; try again.")

    async def resume(self, deletion_id: str) -> Standing:
        """Where the deletion stands, by the document itself. Raises NotFound for an unknown deletion."""
        record = await self.records.find(deletion_id)
        if record is None:
            raise NotFound("There is no such deletion.")
        if record["state"] in FINAL:
            return _standing(record)
        for _ in range(TRIES_MAX):
            row = await self._row(record["entity"], record["documentId"])
            settled = await self._settled(record, row)
            if settled is not None:
                return settled
        raise Unavailable("The deletion changes too fast to be looked at; try again.")

    async def refuse(self, deletion_id: str, epoch: int, blocked_by: Sequence[Mapping[str, Any]]) -> Standing:
        """Back to active. If the deletion was overtaken meanwhile, where it stands."""
        record = await self._open(deletion_id)
        if record["state"] in FINAL:
            return _standing(record)
        blocked = [{**one, "ids": list(one.get("ids", ()))[:BLOCKED_IDS_MAX]} for one in blocked_by]
        await self.records.set(deletion_id, {"blockedBy": blocked})
        at = ParentAt(ParentState.DELETING, epoch, deletion_id)
        await self._moved(record, at, at.after(Step.REFUSE))
        return await self.resume(deletion_id)

    async def purge(self, deletion_id: str, epoch: int, plan: Sequence[Mapping[str, Any]]) -> Standing:
        """The point of no return; stores the plan that any coordinator follows from here."""
        record = await self._open(deletion_id)
        if record["state"] in FINAL:
            return _standing(record)
        at = ParentAt(ParentState.DELETING, epoch, deletion_id)
        purging = at.after(Step.PURGE)
        stored = ParentAt(purging.state, purging.epoch, deletion_id, tuple(plan))
        moved = await self._moved(record, at, stored)
        return replace(await self.resume(deletion_id), fresh=moved)

    async def finish(self, deletion_id: str, epoch: int, progress: Mapping[str, int]) -> Standing:
        """Closes the document's id, then removes it; its parts after it. Before its purge it does nothing."""
        record = await self._open(deletion_id)
        if record["state"] in FINAL:
            return _standing(record)
        if record["state"] != ParentState.PURGING.value:
            return await self.resume(deletion_id)
        await self.records.set(deletion_id, {"progress": dict(progress)})
        entity, document_id = record["entity"], record["documentId"]
        at = ParentAt(ParentState.PURGING, epoch, deletion_id)
        await self._parts.announce(entity, [document_id])
        await self._closures.close_own(entity, [document_id], self._clock.now())
        await self._store.rows(entity).delete_one({"_id": document_id, **at.filter()})
        reached("finish:removed")
        standing = await self.resume(deletion_id)
        if standing.state == records.DONE:
            await self._parts.remove(entity, [document_id])
        return standing

    async def unfinished(self) -> list[Mapping[str, Any]]:
        """Every deletion that somebody has to go on with, or to look at, with its beat."""
        return [{**deletion_body(record), "beat": int(record["beat"])} for record in await self.records.unfinished()]

    async def read(self, deletion_id: str, caller: Caller) -> dict[str, Any]:
        """For whoever asked for it, and for admins. Raises NotFound for everybody else."""
        record = await self.records.find(deletion_id)
        may_see = record is not None and (caller.has(ADMIN) or (caller.id or "") == record.get("requestedBy"))
        if not may_see:
            raise NotFound("There is no such deletion.")
        await self.resume(deletion_id)
        return deletion_body(await self._open(deletion_id))

    async def _open(self, deletion_id: str) -> Row:
        record = await self.records.find(deletion_id)
        if record is None:
            raise NotFound("There is no such deletion.")
        return record

    async def _row(self, entity: str, document_id: str) -> Row | None:
        """The document as of now. An intent is none."""
        async with self._store.session(fenced=True) as session:
            row = await self._store.rows(entity).find_one({"_id": document_id}, session=session)
        return None if row is None or is_create_intent(row) else row

    async def _mark(
        self, entity: str, plan: DeletePlan, at: ParentAt, deletion_id: str, requested_by: str | None
    ) -> bool:
        marked = at.after(Step.MARK)
        await self.records.insert(deletion_id, entity, plan.id, marked.epoch, requested_by)
        reached("begin:recorded")
        same = {"_id": plan.id, INTENT_KIND: NOT_AN_INTENT, **at.filter()}
        if plan.version is not None:
            same["version"] = plan.version
        where = {"$and": [same, plan.where]} if plan.where else same
        stored = ParentAt(marked.state, marked.epoch, deletion_id).stored()
        if await self._store.rows(entity).update_one(where, {"$set": {PARENT_STATE: stored}}):
            return True
        await self.records.remove(deletion_id)
        return False

    async def _moved(self, record: Row, at: ParentAt, after: ParentAt) -> bool:
        where = {"_id": record["documentId"], **at.filter()}
        return await self._store.rows(record["entity"]).update_one(where, {"$set": {PARENT_STATE: after.stored()}})

    async def _joined(
        self, at: ParentAt, entity: str, document_id: str, deletion_id: str, requested_by: str | None
    ) -> Standing | None:
        """The deletion that a document is in already; None: look again. The purge of another document that forced this
        one is joined by a deletion of this one's own: should the other have been told to leave its children alone,
        nobody else would end it. A mark that no record knows of, as after a restore, is taken back."""
        async with self._store.session(fenced=True) as session:  # what an older view lacks would be taken for missing
            known = None if at.deletion is None else await self.records.find(at.deletion, session=session)
            registered = await self._registry.relationships_to(entity, session=session)
        is_own = known is not None and (known["entity"], known["documentId"]) == (entity, document_id)
        if known is not None and is_own and known["state"] not in FINAL:
            return await self.resume(known["_id"])
        same = {"_id": document_id, **at.filter()}
        if at.state is ParentState.DELETING:
            back = {PARENT_STATE: at.after(Step.REFUSE).stored()}
            await self._store.rows(entity).update_one(same, {"$set": back})
            return None
        await self.records.insert(deletion_id, entity, document_id, at.epoch, requested_by)
        plan = tuple(referring(one) for one in registered)
        stored = ParentAt(at.state, at.epoch, deletion_id, plan).stored()
        if at.deletion is not None:
            same[f"{PARENT_STATE}.deletion"] = at.deletion
        if await self._store.rows(entity).update_one(same, {"$set": {PARENT_STATE: stored}}):
            return await self.resume(deletion_id)
        await self.records.remove(deletion_id)
        return None

    async def _settled(self, record: Row, row: Row | None) -> Standing | None:
        """The record brought up to the document. None: look again. Only a purge overtakes. Another delete can mark the
        document after this one was refused, at a higher epoch; or instead of it, and then this one's mark, which had
        the same epoch, can't arrive any more."""
        deletion_id, epoch = record["_id"], int(record["epoch"])
        if row is None:
            await self.records.end(deletion_id, records.DONE)
            return _standing({**record, "state": records.DONE})
        at = parent_at(row)
        if at.deletion == deletion_id:
            return await self._under_way(record, at)
        if at.state is ParentState.PURGING:
            await self.records.end(deletion_id, records.OVERTAKEN, **({"other": at.deletion} if at.deletion else {}))
            return _standing({**record, "state": records.OVERTAKEN, "other": at.deletion})
        if at.epoch > epoch:
            await self.records.end(deletion_id, records.REFUSED)
            # Whoever refused it wrote down before why, which this record may be too old to say.
            return _standing(await self._open(deletion_id))
        is_settled = at.state is ParentState.DELETING or at.epoch == epoch
        if is_settled or await self._moved(record, at, at.after(Step.ABANDON)):
            await self.records.end(deletion_id, records.ABANDONED)
            return _standing({**record, "state": records.ABANDONED})
        return None

    async def _under_way(self, record: Row, at: ParentAt) -> Standing:
        async with self._store.session(fenced=True) as session:
            known = await self._registry.relationships_to(record["entity"], session=session)
        registered = {one.relationship: referring(one) for one in known}
        if at.state is ParentState.PURGING:
            followed = [one for one in at.plan or () if one["relationship"] in registered]
        else:
            followed = list(registered.values())
        if record["state"] != at.state.value:
            await self.records.set(record["_id"], {"state": at.state.value})
        return _standing({**record, "state": at.state.value, "epoch": at.epoch}, tuple(followed))


def referring(one: RegisteredRelationship) -> dict[str, str]:
    """A relationship as a plan has it."""
    return {"relationship": one.relationship, "service": one.service, "onDelete": one.on_delete.value}


def _standing(record: Row, relationships: tuple[Mapping[str, Any], ...] = ()) -> Standing:
    return Standing(
        record["state"],
        record["_id"],
        record["entity"],
        record["documentId"],
        int(record["epoch"]),
        relationships,
        tuple(record.get("blockedBy") or ()),
        other=record.get("other"),
        requested_by=record.get("requestedBy"),
        progress=record.get("progress") or {},
    )
