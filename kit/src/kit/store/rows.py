"""One collection of the store as rows (stored names in and out): errors translated, every call bounded in time."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import ReturnDocument, UpdateMany, UpdateOne
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
)

from kit.store.errors import DuplicateKey, StoreContended, StoreUnavailable
from kit.store.quirks import embedded_filter, embedded_read_filter, embedded_update
from kit.store.sessions import Session

Row = dict[str, Any]
Filter = Mapping[str, Any]
T = TypeVar("T")

# MongoDB's WriteConflict, and how a DocumentDB engine reports a deadlock between two batches.
CONTENDED_CODES = frozenset({112, 16908292})
DUPLICATE_CODES = frozenset({11000, 11001, 12582})
# Codes of MongoDB's error_codes.yml after which the outcome of a write isn't known or the server can't take it now.
UNAVAILABLE_CODES = frozenset(
    {6, 7, 50, 64, 79, 89, 91, 100, 189, 262, 317, 358, 10058, 10107, 11600, 11602, 13388, 13435, 13436}
)


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """`matched` counts over the whole batch; `duplicates` are the positions that broke a unique index."""

    matched: int
    duplicates: frozenset[int]


class Rows:
    """`timeout_s` bounds every call: after it the outcome is unknown (StoreUnavailable)."""

    __slots__ = ("_collection", "_embedded", "_timeout_s", "name")

    def __init__(self, collection: "AsyncIOMotorCollection[Row]", *, timeout_s: float, embedded: bool = False) -> None:
        self._collection = collection
        self._timeout_s = timeout_s
        self._embedded = embedded
        self.name: str = collection.name

    async def find(
        self,
        where: Filter,
        *,
        limit: int,
        fields: Sequence[str] | None = None,
        sort: Sequence[tuple[str, int]] = (),
        skip: int = 0,
        session: Session | None = None,
    ) -> list[Row]:
        """At most `limit` rows; with `fields` only these, whole where a path is named, and the key."""
        cursor = self._collection.find(
            self._looked_for(where),
            _projection(fields),
            session=session.raw if session else None,
            batch_size=limit + 1,
        )
        if sort:
            cursor = cursor.sort(list(sort))
        if skip:
            cursor = cursor.skip(skip)
        return await self._call(cursor.limit(limit).to_list(limit))

    async def find_one(
        self, where: Filter, *, fields: Sequence[str] | None = None, session: Session | None = None
    ) -> Row | None:
        raw = session.raw if session else None
        return await self._call(self._collection.find_one(self._looked_for(where), _projection(fields), session=raw))

    async def insert(self, row: Row, *, session: Session | None = None) -> None:
        """Raises DuplicateKey."""
        await self._call(self._collection.insert_one(row, session=session.raw if session else None))

    async def insert_many(self, rows: Sequence[Row], *, session: Session | None = None) -> frozenset[int]:
        """Inserts what it can, in any order; the positions of those that broke a unique index."""
        try:
            await self._call(
                self._collection.insert_many(rows, ordered=False, session=session.raw if session else None)
            )
        except _Duplicates as refused:
            return refused.positions
        return frozenset()

    async def update_one(
        self, where: Filter, update: Filter, *, upsert: bool = False, session: Session | None = None
    ) -> bool:
        """Whether a row matched (or, with `upsert`, was made). Raises DuplicateKey."""
        raw = session.raw if session else None
        done = await self._call(
            self._collection.update_one(self._met(where), self._kept(update), upsert=upsert, session=raw)
        )
        return bool(done.matched_count) or done.upserted_id is not None

    async def update_many(self, where: Filter, update: Filter, *, session: Session | None = None) -> int:
        done = await self._call(
            self._collection.update_many(self._met(where), self._kept(update), session=session.raw if session else None)
        )
        return int(done.matched_count)

    async def update_in_groups(
        self, updates: Sequence[tuple[Filter, Filter]], *, session: Session | None = None
    ) -> int:
        """Each update on all rows that match it, in one call; how many matched in all."""
        if len(updates) == 1:
            return await self.update_many(*updates[0], session=session)
        writes = [UpdateMany(self._met(where), self._kept(update)) for where, update in updates]
        raw = session.raw if session else None
        done = await self._call(self._collection.bulk_write(writes, ordered=False, session=raw))
        return int(done.matched_count)

    async def find_one_and_update(self, where: Filter, update: Filter, *, session: Session | None = None) -> Row | None:
        """The row as it is after the update. Raises DuplicateKey."""
        raw = session.raw if session else None
        return await self._call(
            self._collection.find_one_and_update(
                self._met(where), self._kept(update), return_document=ReturnDocument.AFTER, session=raw
            )
        )

    async def bulk_update(
        self, updates: Sequence[tuple[Filter, Filter]], *, session: Session | None = None
    ) -> BulkOutcome:
        """Each update on one row, in any order."""
        writes = [UpdateOne(self._met(where), self._kept(update)) for where, update in updates]
        raw = session.raw if session else None
        try:
            done = await self._call(self._collection.bulk_write(writes, ordered=False, session=raw))
        except _Duplicates as refused:
            return BulkOutcome(refused.matched, refused.positions)
        return BulkOutcome(done.matched_count, frozenset())

    async def replace_one(self, where: Filter, row: Row) -> bool:
        done = await self._call(self._collection.replace_one(self._met(where), row))
        return bool(done.matched_count)

    async def delete_one(self, where: Filter, *, session: Session | None = None) -> bool:
        done = await self._call(self._collection.delete_one(self._met(where), session=session.raw if session else None))
        return bool(done.deleted_count)

    async def delete_many(self, where: Filter, *, session: Session | None = None) -> int:
        done = await self._call(
            self._collection.delete_many(self._met(where), session=session.raw if session else None)
        )
        return int(done.deleted_count)

    async def count(self, where: Filter, *, limit: int | None = None) -> int:
        if self._embedded:  # it counts by reading every document, whatever index there is
            found = self._collection.find(self._looked_for(where), ["_id"])
            return len(await self._call((found if limit is None else found.limit(limit)).to_list(limit)))
        bound: dict[str, Any] = {} if limit is None else {"limit": limit}
        return int(await self._call(self._collection.count_documents(where, **bound)))

    async def aggregate(self, pipeline: Sequence[Filter], *, limit: int) -> list[Row]:
        return await self._call(self._collection.aggregate(list(pipeline)).to_list(limit))

    def _looked_for(self, where: Filter) -> Filter:
        """The filter of a read, as the store takes it."""
        return embedded_read_filter(where) if self._embedded else where

    def _met(self, where: Filter) -> Filter:
        """The filter of a write, as the store takes it."""
        return embedded_filter(where) if self._embedded else where

    def _kept(self, update: Filter) -> Filter:
        return embedded_update(update) if self._embedded else update

    async def _call(self, operation: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await operation
        except TimeoutError as error:
            raise StoreUnavailable from error
        except PyMongoError as error:
            raise translated(error, self.name) from error


def _projection(fields: Sequence[str] | None) -> list[str] | None:
    """Whole top-level fields: the embedded store leaves out what is named by a path."""
    return None if fields is None else sorted({field.partition(".")[0] for field in fields})


class _Duplicates(Exception):  # noqa: N818
    """Some writes of a batch broke a unique index, and nothing else went wrong."""

    def __init__(self, positions: frozenset[int], matched: int) -> None:
        super().__init__(f"{len(positions)} duplicates")
        self.positions = positions
        self.matched = matched


def translated(error: PyMongoError, collection: str) -> Exception:
    translated: Exception = error
    code = error.code if isinstance(error, OperationFailure) else None
    if isinstance(error, BulkWriteError):
        translated = _translated_bulk(error)
    elif isinstance(error, OperationFailure) and (code in DUPLICATE_CODES or "exclusion constraint" in str(error)):
        translated = DuplicateKey(_key_pattern(error.details), collection=collection)
    elif isinstance(error, ServerSelectionTimeoutError):
        translated = StoreUnavailable(sent=False)
    elif code in CONTENDED_CODES:
        translated = StoreContended()
    elif isinstance(error, ConnectionFailure | WriteConcernError) or code in UNAVAILABLE_CODES:
        translated = StoreUnavailable()
    return translated


def _translated_bulk(error: BulkWriteError) -> Exception:
    details = error.details or {}
    errors = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or not errors:
        return StoreUnavailable()
    if all(one.get("code") in DUPLICATE_CODES for one in errors):
        return _Duplicates(frozenset(one["index"] for one in errors), int(details.get("nMatched", 0)))
    if any(one.get("code") in UNAVAILABLE_CODES for one in errors):
        return StoreUnavailable()
    if any(one.get("code") in CONTENDED_CODES for one in errors):
        return StoreContended()
    return error


def _key_pattern(details: Mapping[str, Any] | None) -> tuple[str, ...]:
    pattern = (details or {}).get("keyPattern")
    return tuple(pattern) if isinstance(pattern, dict) else ()
