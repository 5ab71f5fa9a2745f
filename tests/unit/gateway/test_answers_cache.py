"""Positive answers are kept for a moment, by what was asked and for whom, and never more than the bound."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.answers_cache import AnswersCache, Confirmed, question_key
from gateway.references import bare
from kit.identity import Caller

ASKED = replace(bare("bots.userId", "users", "1"), match={"a": 1, "b": "x"}, copy=("name",))
ALICE = Caller("alice", frozenset({"user"}))
ANSWER = Confirmed(0, {})


@pytest.mark.parametrize(
    "other",
    [
        {"relationship": "bots.ownerId"},
        {"parent": "teams"},
        {"id": "2"},
        {"id": None, "key": {"id": "1"}},
        {"match": {"a": 1, "b": "y"}},
        {"match": {"a": True, "b": "x"}},
        {"match": {"a": "1", "b": "x"}},
        {"match": {}},
        {"copy": ()},
        {"require": {"status": "active"}},
    ],
)
def test_another_question_has_another_key(other: dict[str, Any]) -> None:
    assert question_key(replace(ASKED, **other), ALICE) != question_key(ASKED, ALICE)


@pytest.mark.parametrize(
    "caller", [Caller("bob", frozenset({"user"})), Caller("alice", frozenset({"admin"})), Caller(None)]
)
def test_another_caller_has_another_key(caller: Caller) -> None:
    assert question_key(ASKED, caller) != question_key(ASKED, ALICE)


def test_place_in_the_request_and_order_of_fields_make_no_other_question() -> None:
    same = replace(ASKED, pointer="/x", match={"b": "x", "a": 1})
    assert question_key(same, Caller("alice", frozenset({"user"}))) == question_key(ASKED, ALICE)


def test_answer_is_kept_until_its_time_is_over() -> None:
    cache = AnswersCache(kept_s=3, answers_max=10)
    cache.put("a", ANSWER, now=100.0)
    assert cache.get("a", 102.9) is ANSWER
    assert cache.get("a", 103.0) is None
    assert len(cache) == 0
    assert cache.get("b", 100) is None


def test_oldest_answers_leave_first_and_expired_ones_with_them() -> None:
    cache = AnswersCache(kept_s=3, answers_max=2)
    for place, name in enumerate("abc"):
        cache.put(name, ANSWER, now=float(place))
    assert [cache.get(name, 2.0) for name in "abc"] == [None, ANSWER, ANSWER]
    cache.put("d", ANSWER, now=10.0)
    assert len(cache) == 1


def test_nothing_is_kept_for_no_time() -> None:
    cache = AnswersCache(kept_s=0, answers_max=10)
    cache.put("a", ANSWER, now=1.0)
    assert cache.get("a", 1.0) is None
