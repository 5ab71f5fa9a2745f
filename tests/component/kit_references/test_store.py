"""What operations rely on, on every store alike."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest
from mock_store import Faults
from office import NOW, Counter, DeskEvent, Office, Room, room

from kit.ids import new_id
from kit.store import DuplicateKey, StoreUnavailable, client
from kit.store.rows import BulkOutcome, Rows
from kit.store.sessions import Session

pytestmark = pytest.mark.anyio

ROW: dict[str, Any] = {
    "_id": "a",
    "n": 1,
    "at": NOW,
    "o": {"k": "create", "n": 1, "x": {"a": 1}},
    "m": {},
    "tags": ["x", "y"],
    "l": [{"a": 1}],
}


def counters(*values: int) -> list[Counter]:
    return [Counter(id=f"c{value}", value=value) for value in values]


@pytest.mark.parametrize(
    ("update", "changed"),
    [
        ({"$set": {"at": NOW + timedelta(days=1)}}, {"at": NOW + timedelta(days=1)}),
        ({"$set": {"new": NOW}, "$inc": {"n": 2}, "$unset": {"m": ""}}, {"new": NOW, "n": 3, "m": None}),
        ({"$set": {"o.n": 5, "at": NOW}}, {"o": {"k": "create", "n": 5, "x": {"a": 1}}}),
        ({"$set": {"at": NOW}, "$inc": {"o.x.a": 2}}, {"o": {"k": "create", "n": 1, "x": {"a": 3}}}),
        ({"$set": {"at": NOW}, "$inc": {"o.z": 2}}, {"o": {"k": "create", "n": 1, "x": {"a": 1}, "z": 2}}),
        ({"$set": {"at": NOW}, "$unset": {"o.x": ""}}, {"o": {"k": "create", "n": 1}}),
        ({"$set": {"o": {"at": NOW}}}, {"o": {"at": NOW}}),
        ({"$set": {"m.01a2-b3.x": 1}}, {"m": {"01a2-b3": {"x": 1}}}),
        ({"$push": {"l": {"at": NOW}}, "$inc": {"n": 1}}, {"l": [{"a": 1}, {"at": NOW}], "n": 2}),
        ({"$push": {"l": {"$each": [{"a": 2}, {"a": 3}], "$slice": -2}}}, {"l": [{"a": 2}, {"a": 3}]}),
        ({"$pull": {"l": {"a": 1}}, "$set": {"at": NOW}}, {"l": []}),
        ({"$addToSet": {"tags": "z"}}, {"tags": ["x", "y", "z"]}),
        ({"$max": {"at": NOW + timedelta(days=1)}}, {"at": NOW + timedelta(days=1)}),
        ({"$min": {"at": NOW + timedelta(days=1), "n": 0}}, {"n": 0}),
    ],
)
@pytest.mark.parametrize("way", ["one", "many", "bulk", "find"])
async def test_update_does_what_it_says(
    office: Office, update: dict[str, Any], changed: dict[str, Any], way: str
) -> None:
    rows = office.store.rows("things")
    await rows.insert(dict(ROW))
    if way == "one":
        assert await rows.update_one({"_id": "a", "n": 1}, update)
    elif way == "many":
        assert await rows.update_many({"_id": {"$in": ["a"]}}, update) == 1
    elif way == "bulk":
        assert await rows.bulk_update([({"_id": "a"}, update), ({"_id": "b"}, update)]) == BulkOutcome(1, frozenset())
    else:
        assert await rows.find_one_and_update({"_id": "a"}, update) is not None
    expected = {name: value for name, value in {**ROW, **changed}.items() if value is not None}
    assert await rows.find_one({"_id": "a"}) == expected


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ({"n": {"$ne": 2}}, True),
        ({"absent": {"$ne": 2}}, True),
        ({"o.k": {"$ne": "create"}}, False),
        ({"o.k": {"$nin": ["create"]}}, False),
        ({"absent.k": {"$nin": ["create"]}}, True),
        ({"absent": {"$exists": False}}, True),
        ({"o": {"$exists": False}}, False),
        ({"absent": None}, True),
        ({"at": {"$lte": NOW}}, True),
        ({"at": {"$gt": NOW}}, False),
        ({"tags": "x"}, True),
        ({"tags": {"$in": ["z", "y"]}}, True),
        ({"$or": [{"n": 2}, {"o.k": "create"}]}, True),
        ({"$or": [{"n": 2}, {"o.k": "change"}]}, False),
        ({"$and": [{"n": {"$gte": 1}}, {"n": {"$lt": 1}}]}, False),
    ],
)
async def test_filter_of_a_write_matches_what_the_filter_of_a_read_does(
    office: Office, where: dict[str, Any], matches: bool
) -> None:
    rows = office.store.rows("things")
    await rows.insert(dict(ROW))
    given = {"_id": "a", **where}
    assert (await rows.find_one(given) is not None) == matches
    assert await rows.count(given) == int(matches)
    assert await rows.update_one(given, {"$set": {"hit": 1}}) == matches
    assert await rows.update_many(given, {"$set": {"hit": 2}}) == int(matches)
    assert (await rows.find_one_and_update(given, {"$set": {"hit": 3}}) is not None) == matches
    assert (await rows.bulk_update([(given, {"$set": {"hit": 4}})])).matched == int(matches)
    assert await rows.delete_one(given) == matches


async def test_times_that_were_set_sort_among_those_that_were_inserted(office: Office) -> None:
    rows = office.store.rows("things")
    await rows.insert_many([{"_id": str(hour), "at": NOW + timedelta(hours=hour)} for hour in range(5)])
    for hour in (1, 3):
        await rows.update_one({"_id": str(hour)}, {"$set": {"at": NOW + timedelta(hours=hour)}})
    found = await rows.find({"at": {"$gt": NOW, "$lte": NOW + timedelta(hours=3)}}, sort=[("at", -1)], limit=9)
    assert [row["_id"] for row in found] == ["3", "2", "1"]


class TestDuplicates:
    async def test_insert_names_the_fields(self, office: Office) -> None:
        rooms = office.store.collection(Room)
        with pytest.raises(DuplicateKey) as taken:
            await rooms.insert(room().model_copy(update={"id": "other"}))
        assert taken.value.fields == ("floor", "door")
        with pytest.raises(DuplicateKey) as taken:
            await rooms.insert(room())
        assert taken.value.fields == ("_id",)

    @pytest.mark.parametrize("way", ["update", "update_and_get", "bulk_update", "replace"])
    async def test_update_names_the_fields_and_changes_nothing(self, office: Office, way: str) -> None:
        rooms = office.store.collection(Room)
        other = room().model_copy(update={"id": "other", "door": "13"})
        await rooms.insert(other)
        update = {"$set": {"door": "12", "updatedAt": NOW}, "$inc": {"version": 1}}
        where = {"_id": "other", "version": 1}
        ways: dict[str, Callable[[], Awaitable[Any]]] = {
            "update": lambda: rooms.update(where, update),
            "update_and_get": lambda: rooms.update_and_get(where, update),
            "bulk_update": lambda: rooms.bulk_update([(where, update)]),
            "replace": lambda: rooms.replace(where, other.model_copy(update={"door": "12"})),
        }
        with pytest.raises(DuplicateKey) as taken:
            await ways[way]()
        assert taken.value.fields == ("floor", "door")
        assert await rooms.get("other") == other

    async def test_insert_of_many_takes_the_others(self, office: Office) -> None:
        kept = office.store.collection(Counter)
        assert await kept.insert_many(counters(1, 2)) == []
        assert await kept.insert_many(counters(1, 3, 2, 4)) == [0, 2]
        assert await kept.count({}) == 4


class TestReads:
    async def test_iteration_goes_over_every_page_in_order(self, office: Office) -> None:
        kept = office.store.collection(Counter)
        await kept.insert_many(counters(*range(10)))
        assert [one.value async for one in kept.iterate({}, batch=3)] == list(range(10))
        assert [one.value async for one in kept.iterate({"value": {"$gt": 2}}, sort=[("value", -1)], batch=2)] == [
            9, 8, 7, 6, 5, 4, 3,
        ]  # fmt: skip

    async def test_iteration_by_a_field_that_several_share_misses_none(self, office: Office) -> None:
        events = office.store.collection(DeskEvent)
        desk_id = new_id()
        await events.insert_many([DeskEvent(id=f"e{n}", desk_id=desk_id, what=str(n // 4)) for n in range(10)])
        assert [one.id async for one in events.iterate({}, sort=[("what", 1)], batch=3)] == [f"e{n}" for n in range(10)]

    async def test_projection_count_and_limit(self, office: Office) -> None:
        kept = office.store.collection(Counter)
        await kept.insert_many(counters(*range(5)))
        assert await kept.rows({"value": {"$lt": 2}}, fields=["value"], sort=[("_id", 1)], limit=9) == [
            {"_id": "c0", "value": 0},
            {"_id": "c1", "value": 1},
        ]
        assert await kept.count({}, limit=3) == 3
        assert len(await kept.find({}, sort=[("value", 1)], limit=2, skip=2)) == 2
        assert await kept.exists({"value": 4})
        assert not await kept.exists({"value": 5})

    @pytest.mark.parametrize("limit", [0, 10_001])
    async def test_read_without_a_bound_is_refused(self, office: Office, limit: int) -> None:
        with pytest.raises(ValueError, match="a read is of 1 to 10000"):
            await office.store.collection(Counter).find({}, limit=limit)

    async def test_sum_over_documents(self, office: Office) -> None:
        kept = office.store.collection(Counter)
        await kept.insert_many(counters(1, 2, 3))
        (total,) = await kept.aggregate([{"$group": {"_id": None, "sum": {"$sum": "$value"}}}])
        assert total["sum"] == 6


async def test_bounded_delete_removes_no_more_than_it_says(office: Office) -> None:
    kept = office.store.collection(Counter)
    await kept.insert_many(counters(*range(5)))
    assert await kept.delete_many({"value": {"$gt": 0}}, limit=3) == 3
    assert await kept.delete_many({}) == 2


async def test_replaced_document_keeps_its_hidden_fields(office: Office) -> None:
    rooms = office.store.collection(Room)
    await office.store.rows("rooms").update_one({"_id": room().id}, {"$set": {"_parent": {"state": "deleting"}}})
    assert await rooms.replace({"version": 1}, room().model_copy(update={"version": 2}))
    assert not await rooms.replace({"version": 1}, room())
    row = await office.row(room())
    assert row is not None
    assert (row["version"], row["_parent"]) == (2, {"state": "deleting"})


async def test_store_that_does_not_answer_is_503(office: Office, faults: Faults) -> None:
    faults.add("refuse", "find_one", "counters")
    with pytest.raises(StoreUnavailable) as away:
        await office.store.collection(Counter).get("c1")
    assert away.value.status == 503
    assert away.value.headers["Retry-After"]


async def test_very_first_fences_of_a_database_meet_and_neither_takes_it_for_a_value_of_its_own(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two upserts of one row: the store may say to the second that the key is taken."""
    upserts: list[bool] = []
    update_one = Rows.update_one

    async def beside_another(self: Rows, where: Any, update: Any, *, upsert: bool = False, session: Any = None) -> bool:
        upserts.append(upsert)
        await update_one(self, where, update, upsert=True)
        if upsert:
            raise DuplicateKey(("_id",))
        return True

    monkeypatch.setattr(Rows, "update_one", beside_another)
    monkeypatch.setattr(office.client, "_causal", True)
    monkeypatch.setattr(client, "causal_session", _no_session)
    async with office.store.session(fenced=True):
        assert upserts == [True, False]


@asynccontextmanager
async def _no_session(_: Any) -> AsyncIterator[Session]:
    yield Session(cast("Any", None))
