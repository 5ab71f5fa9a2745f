"""Documents of one kind. Filters and updates use stored (camelCase) names; every read and write passes over the intents
of creates, which are not documents yet."""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kit.problems import AlreadyExists
from kit.store.codec import from_row, to_row
from kit.store.collisions import find_collision, still_taken, unique_fields
from kit.store.errors import DuplicateKey, UnguardedWrite
from kit.store.hidden import INTENT_KIND, NOT_AN_INTENT, is_create_intent
from kit.store.rows import Filter, Row, Rows
from kit.store.sessions import Session

if TYPE_CHECKING:
    from kit.documents import Stored

D = TypeVar("D", bound="Stored")

FIND_LIMIT_MAX = 10_000


class Collection(Generic[D]):
    def __init__(self, document_type: type[D], rows: Rows) -> None:
        self.document_type = document_type
        self._rows = rows
        self._reference_fields = frozenset(getattr(document_type, "references", ()))
        self._guarded = bool(getattr(document_type, "is_guarded", False))
        self._unique_fields = frozenset(field for fields in unique_fields(document_type) for field in fields)

    @property
    def name(self) -> str:
        return self._rows.name

    async def get(self, document_id: str, *, session: Session | None = None) -> D | None:
        row = await self._rows.find_one({"_id": document_id}, session=session)
        return None if row is None or is_create_intent(row) else from_row(self.document_type, row)

    async def find_one(self, where: Filter) -> D | None:
        row = await self._rows.find_one(self._visible(where))
        return None if row is None else from_row(self.document_type, row)

    async def find(self, where: Filter, *, sort: Sequence[tuple[str, int]] = (), limit: int, skip: int = 0) -> list[D]:
        rows = await self._rows.find(self._visible(where), sort=sort, limit=_bounded(limit), skip=skip)
        return [from_row(self.document_type, row) for row in rows]

    async def iterate(
        self, where: Filter, *, sort: Sequence[tuple[str, int]] = (), batch: int = 500
    ) -> AsyncIterator[D]:
        """Every document, in pages by the last key seen, so that no cursor stays open. `sort` is by one field that
        never changes, or none (by key)."""
        field, direction = _one_field(sort)
        after: Row | None = None
        while True:
            page = await self._rows.find(
                self._visible(_after(where, after, field, direction)),
                sort=[(field, direction)] if field == "_id" else [(field, direction), ("_id", direction)],
                limit=_bounded(batch),
            )
            for row in page:
                yield from_row(self.document_type, row)
            if len(page) < batch:
                return
            after = page[-1]

    async def rows(
        self,
        where: Filter,
        *,
        fields: Sequence[str],
        sort: Sequence[tuple[str, int]] = (),
        limit: int,
        session: Session | None = None,
    ) -> list[Row]:
        """Projections: the named stored fields and `_id`, as plain dictionaries. Reads that act on each other share a
        session (`Store.session`)."""
        return await self._rows.find(
            self._visible(where), fields=fields, sort=sort, limit=_bounded(limit), session=session
        )

    async def count(self, where: Filter, *, limit: int | None = None) -> int:
        return await self._rows.count(self._visible(where), limit=limit)

    async def exists(self, where: Filter) -> bool:
        return await self._rows.find_one(self._visible(where), fields=["_id"]) is not None

    async def insert(self, document: D) -> D:
        """For all but guarded entities. Raises DuplicateKey with the fields of the index."""
        self._refuse_guarded()
        row = to_row(document)
        try:
            await self._rows.insert(row)
        except DuplicateKey as error:
            raise await self._explained(row, stored=False) from error
        return document

    async def insert_many(self, documents: Sequence[D]) -> list[int]:
        """Inserts what it can; the positions of the duplicates, in order."""
        self._refuse_guarded()
        if not documents:
            return []
        return sorted(await self._rows.insert_many([to_row(document) for document in documents]))

    async def update(self, where: Filter, update: Filter) -> bool:
        """One document; whether it matched. Raises DuplicateKey, and AlreadyExists with Retry-After while a create that
        has not ended holds the value."""
        self._refuse_references(update)
        try:
            return await self._rows.update_one(self._visible(where), update)
        except DuplicateKey as error:
            raise await self._explained_update(where, update) from error

    async def update_and_get(self, where: Filter, update: Filter) -> D | None:
        """The document as it is after the update, None if none matched. Raises as `update` does."""
        self._refuse_references(update)
        try:
            row = await self._rows.find_one_and_update(self._visible(where), update)
        except DuplicateKey as error:
            raise await self._explained_update(where, update) from error
        if row is None and not self._unique_fields.isdisjoint(update.get("$set", ())):
            await self._refuse_silent_duplicate(where, update)
        return None if row is None else from_row(self.document_type, row)

    async def update_many(self, where: Filter, update: Filter) -> int:
        self._refuse_references(update)
        return await self._rows.update_many(self._visible(where), update)

    async def bulk_update(self, updates: Sequence[tuple[Filter, Filter]]) -> int:
        """Each update on one document, in any order; how many matched. Raises as `update` does, once the others
        are done."""
        for _, update in updates:
            self._refuse_references(update)
        if not updates:
            return 0
        done = await self._rows.bulk_update([(self._visible(where), update) for where, update in updates])
        if done.duplicates:
            raise await self._explained_update(*updates[min(done.duplicates)])
        return done.matched

    async def replace(self, where: Filter, document: D) -> bool:
        """One document as a whole, but for its key, its references and kit's hidden fields, which stay. Raises as
        `update` does."""
        row = to_row(document)
        fields = [
            field.alias or name for name, field in self.document_type.model_fields.items() if name != "revision_id"
        ]
        kept = self._reference_fields | {"_id"}
        update: dict[str, Any] = {"$set": {name: value for name, value in row.items() if name not in kept}}
        gone = {name: "" for name in fields if name not in row and name not in kept}
        if gone:
            update["$unset"] = gone
        same = {name: row.get(name) for name in self._reference_fields}
        try:
            return await self._rows.update_one(self._visible({"$and": [where, {"_id": row["_id"], **same}]}), update)
        except DuplicateKey as error:
            raise await self._explained(row, stored=True) from error

    async def delete(self, where: Filter) -> bool:
        return await self._rows.delete_one(self._visible(where))

    async def delete_many(self, where: Filter, *, limit: int | None = None) -> int:
        """With `limit`, at most that many: looked up first, then removed if they still match."""
        if limit is None:
            return await self._rows.delete_many(self._visible(where))
        found = await self._rows.find(self._visible(where), fields=["_id"], limit=_bounded(limit))
        if not found:
            return 0
        return await self._rows.delete_many(
            {"$and": [self._visible(where), {"_id": {"$in": [row["_id"] for row in found]}}]}
        )

    async def aggregate(self, pipeline: Sequence[Filter], *, limit: int = FIND_LIMIT_MAX) -> list[Row]:
        """Only stages that every store knows: $match, $group, $sort, $limit, $project of plain fields."""
        hidden = [{"$match": {INTENT_KIND: NOT_AN_INTENT}}] if self._guarded else []
        return await self._rows.aggregate([*hidden, *pipeline], limit=_bounded(limit))

    def _visible(self, where: Filter) -> Filter:
        return {**where, INTENT_KIND: NOT_AN_INTENT} if self._guarded else where

    def _refuse_guarded(self) -> None:
        if self._guarded:
            raise UnguardedWrite(f"{self.name} is guarded: create it by References.create")

    def _refuse_references(self, update: Filter) -> None:
        """A plain update of a reference would be one that nothing guards."""
        if not self._reference_fields:
            return
        for operator, fields in update.items():
            named = self._reference_fields.intersection(fields)
            if named:
                raise UnguardedWrite(
                    f"{operator} of {self.name}.{min(named)}, a reference: only References.change may, which guards it"
                )

    async def _explained(self, row: Row, *, stored: bool) -> DuplicateKey | AlreadyExists:
        collision = await find_collision(self._rows, self.document_type, row, stored=stored)
        if collision is not None and is_create_intent(collision.other):
            return still_taken(collision.fields)
        return DuplicateKey(collision.fields if collision else (), collection=self.name)

    async def _refuse_silent_duplicate(self, where: Filter, update: Filter) -> None:
        """The embedded store answers None, as if nothing had matched, if the update breaks a unique index."""
        explained = await self._explained_update(where, update)
        if isinstance(explained, AlreadyExists) or explained.fields:
            raise explained

    async def _explained_update(self, where: Filter, update: Filter) -> DuplicateKey | AlreadyExists:
        before = await self._rows.find_one(self._visible(where))
        if before is None:
            return DuplicateKey(collection=self.name)
        after = {**before, **update.get("$set", {})}
        for gone in update.get("$unset", {}):
            after.pop(gone, None)
        return await self._explained(after, stored=True)


def _bounded(limit: int) -> int:
    if not 1 <= limit <= FIND_LIMIT_MAX:
        raise ValueError(f"a read is of 1 to {FIND_LIMIT_MAX} documents, not {limit}")
    return limit


def _one_field(sort: Sequence[tuple[str, int]]) -> tuple[str, int]:
    named = [one for one in sort if one[0] != "_id"]
    if len(named) > 1:
        raise ValueError("iterate takes one sort field: page through more of them with a cursor of your own")
    return named[0] if named else next(iter(sort), ("_id", 1))


def _after(where: Filter, last: Row | None, field: str, direction: int) -> Filter:
    if last is None:
        return where
    beyond = "$gt" if direction > 0 else "$lt"
    if field == "_id":
        return {"$and": [where, {"_id": {beyond: last["_id"]}}]}
    same = {field: last.get(field), "_id": {beyond: last["_id"]}}
    return {"$and": [where, {"$or": [{field: {beyond: last.get(field)}}, same]}]}
