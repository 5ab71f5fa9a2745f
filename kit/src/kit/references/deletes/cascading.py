"""The child's half of a delete after its point of no return: what refers to the parents is set null, removed, or, if
it may itself be referred to, forced into its own purge. Every write is conditional on the field still naming the
parent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kit.clock import Clock
from kit.documents import Entity, Stored
from kit.fault_points import reached
from kit.references.closures import Closures
from kit.references.declaration import CASCADE, SET_NULL, OnDelete
from kit.references.deletes.naming import Naming
from kit.references.deletes.parent_states import ParentAt, ParentState, Step, parent_at
from kit.references.deletes.parts import Parts
from kit.references.registry import RegisteredRelationship, Registry
from kit.store import Store
from kit.store.hidden import PARENT_STATE
from kit.store.rows import Row, Rows
from kit.store.sessions import Session

BATCH_MAX = 500


@dataclass(frozen=True, slots=True)
class Doomed:
    """A document in purging, at its epoch."""

    id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What one batch did. `forced` are to be purged in turn, by `relationships`, which were read after they were
    forced; leaves, to which nobody refers, are `removed` at once. `more`: ask again."""

    set_null: int = 0
    removed: int = 0
    forced: tuple[Doomed, ...] = ()
    relationships: tuple[RegisteredRelationship, ...] = ()
    more: bool = False


class Cascade:
    def __init__(
        self,
        store: Store,
        documents: Sequence[type[Stored]],
        registry: Registry,
        parts: Parts,
        closures: Closures,
        *,
        clock: Clock,
    ) -> None:
        self._store = store
        self._registry = registry
        self._parts = parts
        self._closures = closures
        self._clock = clock
        self._leaves = {
            one.collection_name() for one in documents if issubclass(one, Entity) and not one.rules.referable_by
        }

    async def apply(self, naming: Naming, parent_ids: Sequence[str], rule: OnDelete, deletion_id: str) -> Applied:
        """One batch of at most BATCH_MAX children. `rule` is that of the delete's plan, whatever is declared now.

        Leaves are forced, too, before it is asked who refers to them: another version may let others do so, and has it
        validated until they are."""
        rows = self._store.rows(naming.child)
        async with self._store.session(fenced=True) as session:
            found = await rows.find(
                naming.children(parent_ids), fields=[PARENT_STATE], limit=BATCH_MAX, session=session
            )
        more = len(found) == BATCH_MAX
        if not found or rule not in (CASCADE, SET_NULL):
            return Applied()
        if rule is SET_NULL:
            return Applied(set_null=await self._set_null(rows, naming, parent_ids, found), more=more)
        await self._force(naming, parent_ids, found, deletion_id)
        reached("apply:forced")
        async with self._store.session(fenced=True) as session:
            forced = await self._forced(naming, parent_ids, found, session)
            relationships = await self._registry.relationships_to(naming.child, session=session)
        if naming.child in self._leaves and not relationships:
            return Applied(removed=await self.remove(naming.child, forced), more=more)
        return Applied(forced=tuple(forced), relationships=tuple(relationships), more=more)

    async def left(self, naming: Naming, parent_ids: Sequence[str]) -> bool:
        """Whether something still refers to one of the parents."""
        async with self._store.session(fenced=True) as session:
            where = naming.children(parent_ids)
            return await self._store.rows(naming.child).find_one(where, fields=["_id"], session=session) is not None

    async def remove(self, entity: str, doomed: Sequence[Doomed]) -> int:
        """Documents to which nothing refers any more, at (purging, epoch); their ids are closed before, their parts
        removed after."""
        ids = [one.id for one in doomed]
        await self._parts.announce(entity, ids)
        await self._closures.close_own(entity, ids, self._clock.now())
        rows, removed = self._store.rows(entity), 0
        for epoch, at_epoch in _by_epoch(doomed).items():
            removed += await rows.delete_many(
                {"_id": {"$in": at_epoch}, **ParentAt(ParentState.PURGING, epoch).filter()}
            )
        reached("remove:removed")
        await self._parts.remove(entity, ids)
        return removed

    async def is_leaf(self, entity: str, session: Session | None) -> bool:
        """Nobody may refer to it by this version, nor is anybody registered by another. `session` is fenced: what an
        older view lacks would be taken for missing."""
        return entity in self._leaves and not await self._registry.relationships_to(entity, session=session)

    async def _set_null(self, rows: Rows, naming: Naming, parent_ids: Sequence[str], found: Sequence[Row]) -> int:
        """A field that is null is absent. The version grows, so that a change under way misses."""
        where = {"$and": [{"_id": {"$in": [row["_id"] for row in found]}}, naming.children(parent_ids)]}
        update = {"$unset": {naming.field: ""}, "$set": {"updatedAt": self._clock.now()}, "$inc": {"version": 1}}
        return await rows.update_many(where, update)

    async def _force(self, naming: Naming, parent_ids: Sequence[str], found: Sequence[Row], deletion_id: str) -> None:
        """From active, or from a deletion of their own, which is overtaken by that; a purge of their own is joined."""
        rows = self._store.rows(naming.child)
        for at, ids in _by_parent_at(found).items():
            if at.state is ParentState.PURGING:
                continue
            forced = at.after(Step.FORCE)
            stored = ParentAt(forced.state, forced.epoch, deletion_id).stored()
            same = {"_id": {"$in": ids}, **at.filter()}
            await rows.update_many({"$and": [same, naming.names(parent_ids)]}, {"$set": {PARENT_STATE: stored}})

    async def _forced(
        self, naming: Naming, parent_ids: Sequence[str], found: Sequence[Row], session: Session | None
    ) -> list[Doomed]:
        ids = [row["_id"] for row in found]
        purging = {"_id": {"$in": ids}, f"{PARENT_STATE}.state": ParentState.PURGING.value}
        where = {"$and": [purging, naming.names(parent_ids)]}
        rows = self._store.rows(naming.child)
        now = await rows.find(where, fields=[PARENT_STATE], limit=len(ids), session=session)
        return [Doomed(row["_id"], parent_at(row).epoch) for row in now]


def _by_parent_at(rows: Iterable[Row]) -> Mapping[ParentAt, list[str]]:
    found: dict[ParentAt, list[str]] = {}
    for row in rows:
        at = parent_at(row)
        found.setdefault(ParentAt(at.state, at.epoch), []).append(row["_id"])
    return found


def _by_epoch(doomed: Iterable[Doomed]) -> Mapping[int, list[str]]:
    found: dict[int, list[str]] = {}
    for one in doomed:
        found.setdefault(one.epoch, []).append(one.id)
    return found
