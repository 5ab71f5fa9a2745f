"""The sides of an audit over a store at hand. Every page is read in a session of its own, begun with a majority write,
so that no deposed primary answers it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from kit.clock import Clock
from kit.problems import ForeignRows
from kit.references import closures, registry
from kit.references.audits.audit import ChildPage, ClosurePage, DeletionPage
from kit.references.audits.audit_findings import (
    LISTED_MAX,
    PART,
    Asked,
    Child,
    ClosureSeen,
    Names,
    ParentSeen,
    Pending,
    Registered,
    Relationship,
    Stuck,
    scalar,
)
from kit.references.declaration import SEPARATOR, intent_key
from kit.references.deletes import deletion_records, parts
from kit.references.deletes.parent_states import ParentState, parent_at
from kit.references.slots import IN_DELETION
from kit.references.under_way import under_way
from kit.schemas import format_timestamp
from kit.store import Store
from kit.store.hidden import INTENT_KIND, PARENT_STATE, is_create_intent
from kit.store.rows import Row

REGISTERED_MAX = 5_000
_LAST = "\uffff"


class StoreChildSide:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def page(self, relationship: Relationship, after: str, limit: int) -> ChildPage:
        if after == "":
            await check_ids(self._store, relationship.child)
        rows = await self._find(relationship.child, {"_id": {"$gt": after}}, _fields(relationship), limit)
        return ChildPage(_children(relationship, rows), _last(rows, limit))

    async def again(self, relationship: Relationship, ids: Sequence[str]) -> Sequence[Child]:
        if not ids:
            return ()
        rows = await self._find(relationship.child, {"_id": {"$in": list(ids)}}, _fields(relationship), len(ids))
        return _children(relationship, rows)

    async def pending(self, relationship: Relationship) -> Sequence[Pending]:
        prefix, now = intent_key(relationship.name, relationship.parent, ""), self._clock.now()
        async with self._store.session(fenced=True) as session:
            rows = self._store.rows(relationship.child)
            found = await under_way(rows, prefix=prefix, limit=LISTED_MAX, session=session)
        listed = found[:LISTED_MAX]
        return [Pending(one.id, str(one.intent.get("kind")), _age_s(one.intent.get("at"), now)) for one in listed]

    async def closures(self, relationship: Relationship, after: str, limit: int) -> ClosurePage:
        prefix, now = intent_key(relationship.name, relationship.parent, ""), self._clock.now()
        where = {"_id": {"$gt": prefix + after, "$lt": prefix + _LAST}}
        rows = await self._find(closures.NAME, where, None, limit)
        seen = tuple(
            ClosureSeen(
                row["_id"].removeprefix(prefix),
                int(row.get("epoch", 0)),
                bool(row["closed"]),
                _age_s(row.get("at"), now),
            )
            for row in rows
        )
        return ClosurePage(seen, seen[-1].parent_id if len(seen) == limit else None)

    async def _find(
        self, collection: str, where: Mapping[str, Any], fields: Sequence[str] | None, limit: int
    ) -> list[Row]:
        async with self._store.session(fenced=True) as session:
            return await self._store.rows(collection).find(
                where, fields=fields, sort=[("_id", 1)], limit=limit, session=session
            )


class StoreParentSide:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def look(self, asked: Asked, names: Collection[Names]) -> Mapping[Names, ParentSeen]:
        """One query for all that share all but the last field of their key."""
        groups: dict[Names, set[Any]] = {}
        for one in names:
            groups.setdefault(one[:-1], set()).add(one[-1])
        fields = sorted({*asked.key, *asked.fields, INTENT_KIND, PARENT_STATE} - {"_id"})
        found: dict[Names, ParentSeen] = {}
        async with self._store.session(fenced=True) as session:
            rows = self._store.rows(asked.parent)
            for scope, lasts in groups.items():
                where = {**dict(zip(asked.key, scope, strict=False)), asked.key[-1]: {"$in": list(lasts)}}
                for row in await rows.find(where, fields=fields, limit=len(lasts), session=session):
                    if not is_create_intent(row):
                        found[tuple(row.get(name) for name in asked.key)] = _seen(row, asked)
        if asked.of_parts:
            found |= await self._being_removed(asked.parent, {one[0] for one in names} - {one[0] for one in found})
        return found

    async def _being_removed(self, entity: str, ids: Collection[str]) -> dict[Names, ParentSeen]:
        """Read after the aggregates: one is announced before it is removed."""
        if not ids:
            return {}
        prefix = f"{entity}{SEPARATOR}"
        async with self._store.session(fenced=True) as session:
            rows = await self._store.rows(parts.NAME).find(
                {"_id": {"$in": [prefix + one for one in ids]}}, fields=["_id"], limit=len(ids), session=session
            )
        return {(row["_id"].removeprefix(prefix),): ParentSeen({}, ParentState.PURGING, 0) for row in rows}


class StoreOwnerSide:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def registered(self) -> Sequence[Registered]:
        async with self._store.session(fenced=True) as session:
            rows = await self._store.rows(registry.NAME).find(
                {"state": registry.REGISTERED},
                sort=[("_id", 1)],
                limit=REGISTERED_MAX,
                session=session,
            )
        return [registered_of(row) for row in rows]

    async def in_deletion(self, entity: str, after: str, limit: int) -> DeletionPage:
        if after == "":
            await check_ids(self._store, entity)
        async with self._store.session(fenced=True) as session:
            rows = await self._store.rows(entity).find(
                {"_id": {"$gt": after}}, fields=[PARENT_STATE], sort=[("_id", 1)], limit=limit, session=session
            )
        found = [(row["_id"], parent_at(row)) for row in rows]
        stuck = [
            Stuck(entity, one, at.state.value, at.epoch, at.deletion) for one, at in found if at.state in IN_DELETION
        ]
        return DeletionPage(tuple(stuck), _last(rows, limit))

    async def open_deletions(self, ids: Collection[str]) -> dict[str, bool]:
        async with self._store.session(fenced=True) as session:
            rows = await self._store.rows(deletion_records.NAME).find(
                {"_id": {"$in": list(ids)}, "open": True}, fields=["_id"], limit=len(ids) or 1, session=session
            )
        found = {row["_id"] for row in rows}
        return {one: one in found for one in ids}

    async def mark_validated(self, relationship: str, parent: str, registered_at: str, now: datetime) -> bool:
        """Only the very registration that the audit saw before it read the first child; whether it is still there."""
        rows = self._store.rows(registry.NAME)
        key = registry.registry_id(relationship, parent)
        row = await rows.find_one({"_id": key, "state": registry.REGISTERED})
        if row is None or registered_of(row).at != registered_at:
            return False
        same = {"_id": key, "state": registry.REGISTERED, "registeredAt": row["registeredAt"]}
        return await rows.update_one(same, {"$set": {"validatedAt": now}})

    async def raise_epoch(self, entity: str, parent_id: str, above: int) -> str:
        """ "raised", "above" if it is already, or "absent"; by compare-and-set, "changed" if that met another one.

        In deletion too, which may be waiting for just this: it stays in its state, with its deletion and plan. Nobody
        is misled: whoever has the old epoch misses the row and reads it anew, closures are written again at the new
        one, and only what is active is confirmed to writers."""
        async with self._store.session(fenced=True) as session:
            row = await self._store.rows(entity).find_one({"_id": parent_id}, session=session)
        if row is None or is_create_intent(row):
            return "absent"
        at = parent_at(row)
        if at.epoch > above:
            return "above"
        where: Row = {"_id": parent_id, **at.filter()}
        if at.deletion is not None:
            where[f"{PARENT_STATE}.deletion"] = at.deletion
        raised = replace(at, epoch=above + 1).stored()
        done = await self._store.rows(entity).update_one(where, {"$set": {PARENT_STATE: raised}})
        return "raised" if done else "changed"


async def check_ids(store: Store, collection: str) -> None:
    """Raises ForeignRows if a row's `_id` is no text, as of one that was put there by hand: no page would have it. All
    other types sort before or after text, so both ends tell."""
    async with store.session(fenced=True) as session:
        for direction in (1, -1):
            ends = await store.rows(collection).find(
                {}, fields=["_id"], sort=[("_id", direction)], limit=1, session=session
            )
            if ends and not isinstance(ends[0]["_id"], str):
                raise ForeignRows.of(collection, ends[0]["_id"])


def registered_of(row: Row) -> Registered:
    at = format_timestamp(row["registeredAt"])
    return Registered(row["relationship"], row["parent"], row["service"], at, row.get("validatedAt") is not None)


def _fields(relationship: Relationship) -> list[str]:
    return [*relationship.child_fields(), *([] if relationship.kind == PART else [INTENT_KIND])]


def _children(relationship: Relationship, rows: Sequence[Row]) -> tuple[Child, ...]:
    named = [relationship.named_by(row) for row in rows if not is_create_intent(row)]
    return tuple(one for one in named if one is not None)


def _last(rows: Sequence[Row], limit: int) -> str | None:
    return rows[-1]["_id"] if len(rows) == limit else None


def _seen(row: Row, asked: Asked) -> ParentSeen:
    at = parent_at(row)
    return ParentSeen({name: scalar(row.get(name)) for name in asked.fields}, at.state.value, at.epoch)


def _age_s(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else (now - at).total_seconds()
