"""What an operator has removed that an audit named: only as long as it is what was reported, and only after the owner
of the parent confirmed, in the same request, that the parent is not there. No parent is asked to allow it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import structlog

from kit.clock import Clock
from kit.documents import Entity, Part, Record, Stored
from kit.problems import FieldError, InvalidRequest, NotFound
from kit.references import closures
from kit.references.audits.audit_findings import PART, Child, Relationship
from kit.references.declaration import SEPARATOR, intent_key
from kit.references.deletes.cascading import Cascade
from kit.references.deletes.deleting import DeletePlan
from kit.references.deletes.deletions import CHANGED, Deletions
from kit.references.deletes.parts import Parts
from kit.references.slots import NOT_IN_DELETION
from kit.store import Index, Store, index
from kit.store.hidden import INTENT_KIND, NOT_AN_INTENT, is_create_intent
from kit.store.rows import Row

NAME = "reference_quarantine"
PARTS_PAGE = 500
PARTS_PAGES_MAX = 200
TRIES_MAX = 3
REMOVED = "removed"
QUARANTINED = "quarantined"
DELETING = "deleting"
GONE = "gone"
AS_REPORTED = "as-reported"
TOO_MANY_PARTS = "too-many-parts"
NEVER_DELETED = "never-deleted"
_log = structlog.get_logger("kit.repair")


class QuarantinedRow(Record):
    """`id` is "<relationship>|<child>", of a part of the child "<relationship>|<child>|<collection>|<part>". `row` is
    the document as it was stored."""

    collection: str
    document_id: str
    row: dict[str, Any]
    audit: str
    by: str
    at: datetime

    class Settings:
        name = NAME
        indexes: ClassVar[tuple[Index, ...]] = (index("audit"),)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be removed: the child as it was reported, by whom, and whether a copy is kept. `match` is what the
    parent was compared with when it was judged, by the parent's names; None: not said."""

    relationship: Relationship
    child_id: str
    parent_id: str
    keeps: bool
    audit_id: str
    by: str
    match: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        return f"{self.relationship.name}{SEPARATOR}{self.child_id}"

    def said(self) -> dict[str, str]:
        return {
            "relationship": self.relationship.name,
            "child": self.child_id,
            "parent": self.parent_id,
            "audit": self.audit_id,
            "by": self.by,
        }


@dataclass(frozen=True, slots=True)
class Repaired:
    """`result` is "removed", "quarantined", "deleting" (by the protocol of deletes, as `deletion_id`), "changed" if it
    is no longer what was reported, "gone" if it is not there."""

    result: str
    deletion_id: str | None = None


class Repairs:
    def __init__(
        self,
        store: Store,
        documents: Sequence[type[Stored]],
        *,
        service: str,
        deletions: Deletions,
        cascade: Cascade,
        parts: Parts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._service = service
        self._deletions = deletions
        self._cascade = cascade
        self._parts = parts
        self._clock = clock
        self._quarantine = store.rows(NAME)
        self._rules = {one.collection_name(): one.rules for one in documents if issubclass(one, Entity)}
        self._part_fields = [
            (one.part_of.entity, one.collection_name(), one.part_of.field) for one in documents if issubclass(one, Part)
        ]

    async def look(self, order: Order) -> tuple[str, Child | None]:
        """Whether it is still there as it was reported: "gone", "changed", or "as-reported" with what it names."""
        row = await self._row(order)
        if row is None:
            return GONE, None
        child = self._as_reported(order, row)
        return (CHANGED, None) if child is None else (AS_REPORTED, child)

    async def carry_out(self, order: Order) -> Repaired:
        """Tried again if the document changes meanwhile, as long as it names the parent that was reported, and holds
        what it was judged by. Raises InvalidRequest for one that can't be repaired like this."""
        for _ in range(TRIES_MAX):
            row = await self._row(order)
            if row is None:
                return Repaired(GONE)
            if self._as_reported(order, row) is None:
                return Repaired(CHANGED)
            if order.keeps:
                await self._keep(order, order.relationship.child, {order.key: row})
            repaired = await self._remove(order, row)
            if repaired is not None:
                _log.info("orphan repaired", **order.said(), result=repaired.result, deletion=repaired.deletion_id)
                return repaired
        return Repaired(CHANGED)

    def _as_reported(self, order: Order, row: Row) -> Child | None:
        child = None if is_create_intent(row) else order.relationship.named_by(row)
        if child is None or child.parent_id != order.parent_id:
            return None
        return child if order.match is None or dict(order.match) == dict(child.match) else None

    async def _row(self, order: Order) -> Row | None:
        async with self._store.session(fenced=True) as session:
            return await self._store.rows(order.relationship.child).find_one({"_id": order.child_id}, session=session)

    async def _remove(self, order: Order, row: Row) -> Repaired | None:
        """None if the document is another by now. One that others may refer to, or that a relationship is registered to
        from before, goes the way of every delete, with itself as the root."""
        relationship, child = order.relationship, order.relationship.child
        where: dict[str, Any] = {name: row.get(name) for name in relationship.child_fields()}
        done = Repaired(QUARANTINED if order.keeps else REMOVED)
        if relationship.kind == PART:
            removed = await self._store.rows(child).delete_one({"_id": order.child_id, **where})
            return done if removed else None
        if "version" in row:
            where["version"] = row["version"]
        if order.keeps:
            await self._keep_parts(order)
        async with self._store.session(fenced=True) as session:
            is_leaf = await self._cascade.is_leaf(child, session)
        if not is_leaf:
            return await self._begin_delete(order, where)
        await self._parts.announce(child, [order.child_id])
        removed = await self._store.rows(child).delete_one(
            {"_id": order.child_id, INTENT_KIND: NOT_AN_INTENT, **NOT_IN_DELETION, **where}
        )
        if not removed:
            return None
        await self._parts.remove(child, [order.child_id])
        return done

    async def _begin_delete(self, order: Order, where: Mapping[str, Any]) -> Repaired | None:
        child = order.relationship.child
        if self._rules[child].composite is not None:
            detail = f"{child} has a natural key, so a delete can't find what refers to it: retire it, or correct it."
            raise InvalidRequest(detail, errors=[FieldError("/childId", NEVER_DELETED, detail)])
        plan = DeletePlan(order.child_id, where)
        try:
            standing = await self._deletions.begin(self._service, child, plan, order.by)
        except NotFound:
            return Repaired(GONE)
        return None if standing.state == CHANGED else Repaired(DELETING, standing.deletion_id or standing.other)

    async def _keep(self, order: Order, collection: str, page: Mapping[str, Row]) -> None:
        """Copies of rows by the ids that the copies get. They are of what will be removed: those of an earlier try stay
        if they are the same, so that a repeat goes on where it stopped, and are replaced if not."""
        if not page:
            return
        said = {"audit": order.audit_id, "by": order.by, "at": self._clock.now()}
        there = await self._quarantine.find({"_id": {"$in": list(page)}}, fields=["row", "audit"], limit=len(page))
        known = {copy["_id"]: copy for copy in there}
        copies: list[Row] = [
            {"_id": key, "collection": collection, "documentId": row["_id"], "row": dict(row), **said}
            for key, row in page.items()
        ]
        missing = [copy for copy in copies if copy["_id"] not in known]
        taken = await self._quarantine.insert_many(missing) if missing else ()
        outdated = [copy for copy in copies if copy["_id"] in known and known[copy["_id"]]["row"] != copy["row"]]
        for copy in (*outdated, *(missing[position] for position in sorted(taken))):
            await self._quarantine.replace_one({"_id": copy["_id"]}, copy)
        of_another = [key for key, copy in known.items() if copy["audit"] != order.audit_id]
        if of_another:
            await self._quarantine.update_many({"_id": {"$in": of_another}}, {"$set": said})

    async def _keep_parts(self, order: Order) -> None:
        """At most PARTS_PAGES_MAX pages of each kind. Raises InvalidRequest if there are more: none is removed that
        was not copied."""
        for entity, collection, field in self._part_fields:
            if entity != order.relationship.child:
                continue
            rows, after = self._store.rows(collection), ""
            steps = (order.relationship.name, order.child_id, collection)
            for _ in range(PARTS_PAGES_MAX):
                where: Mapping[str, Any] = {field: order.child_id, "_id": {"$gt": after}}
                page = await rows.find(where, sort=[("_id", 1)], limit=PARTS_PAGE)
                await self._keep(order, collection, {SEPARATOR.join((*steps, row["_id"])): row for row in page})
                if len(page) < PARTS_PAGE:
                    break
                after = page[-1]["_id"]
            else:
                raise _too_many_parts(collection)


def _too_many_parts(collection: str) -> InvalidRequest:
    detail = (
        f"It has {PARTS_PAGE * PARTS_PAGES_MAX} documents in {collection} or more, too many to be copied here: copy "
        "them with the store's own tools, then remove it without a copy."
    )
    return InvalidRequest(detail, errors=[FieldError("/keeps", TOO_MANY_PARTS, detail)])


async def closure_epoch(store: Store, relationship: str, parent: str, parent_id: str) -> int | None:
    """The epoch of the closure that stands here, whether it is closed or was reopened."""
    async with store.session(fenced=True) as session:
        row = await store.rows(closures.NAME).find_one(
            {"_id": intent_key(relationship, parent, parent_id)}, session=session
        )
    return None if row is None else int(row.get("epoch", 0))
