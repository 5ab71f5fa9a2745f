from datetime import UTC, datetime
from typing import Any

import pytest

from kit.store import UnsuitableStore
from kit.store.quirks import embedded_filter, embedded_read_filter, embedded_update

MOMENT = datetime(2026, 11, 23, 15, 27, 18, 123456, tzinfo=UTC)
STORED = {"$date": "2026-11-23T15:27:18.123000"}


def test_time_that_is_set_is_sent_as_the_embedded_store_keeps_it() -> None:
    assert embedded_update({"$set": {"at": MOMENT, "a.b": MOMENT, "n": 1}, "$inc": {"m.n": 1}}) == {
        "$set": {"at": STORED, "a.b": STORED, "n": 1},
        "$inc": {"m.n": 1},
    }


def test_time_inside_an_object_is_kept_as_it_is() -> None:
    update = {"$set": {"slot": {"at": MOMENT}}}
    assert embedded_update(update) == update


@pytest.mark.parametrize("update", [{"$push": {"l": {"a": 1}}}, {"$max": {"at": MOMENT}}, {"$pull": {"l": 1}}])
def test_what_sql_gets_wrong_is_taken_out_of_it(update: dict[str, Any]) -> None:
    assert embedded_update(update) == {**update, "$pullAll": {"_": []}}


@pytest.mark.parametrize("other", [{"$inc": {"a.b": 1}}, {"$unset": {"a.b": ""}}, {"$push": {"a.b": 1}}])
def test_what_neither_way_gets_right_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(UnsuitableStore, match=r"a\.b"):
        embedded_update({"$push": {"l": 1}, **other})


@pytest.mark.parametrize(
    ("where", "rewritten"),
    [
        ({"a": 1, "b": {"$gt": 1}}, {"a": 1, "b": {"$gt": 1}}),
        ({"a": {"$ne": 1}}, {"a": {"$nin": [1]}}),
        ({"a": {"$ne": 1, "$nin": [2], "$gt": 0}}, {"a": {"$gt": 0, "$nin": [1, 2]}}),
        ({"$and": [{"a": {"$ne": 1}}, {"a": 2}]}, {"$and": [{"a": 2}], "a": {"$nin": [1]}}),
        ({"$or": [{"$and": [{"a": {"$ne": 1}}]}]}, {"$or": [{"a": {"$nin": [1]}}]}),
    ],
)
def test_filter_of_a_write_has_no_ne(where: dict[str, Any], rewritten: dict[str, Any]) -> None:
    assert embedded_filter(where) == rewritten


@pytest.mark.parametrize(
    ("where", "rewritten"),
    [
        ({"a": 1}, {"a": 1}),
        ({"$and": [{"a": 1, "b": 2}, {"c": 3}]}, {"a": 1, "b": 2, "c": 3}),
        ({"d": 4, "$and": [{"a": 1}, {"$and": [{"b": 2}, {"c": 3}]}]}, {"d": 4, "a": 1, "b": 2, "c": 3}),
        ({"$and": [{"a": 1}, {"a": {"$gt": 0}}]}, {"a": 1, "$and": [{"a": {"$gt": 0}}]}),
        ({"$and": [{"$or": [{"a": 1}]}, {"$or": [{"b": 1}]}]}, {"$or": [{"a": 1}], "$and": [{"$or": [{"b": 1}]}]}),
    ],
)
def test_conditions_on_different_fields_need_no_and(where: dict[str, Any], rewritten: dict[str, Any]) -> None:
    assert embedded_read_filter(where) == rewritten
