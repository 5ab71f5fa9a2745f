"""Children's children first: what refers to other children goes before them."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from gateway.deletion.order import leaves_first
from gateway.deletion.steps import Referring


def referring(*names: str) -> list[Referring]:
    return [Referring(name, "s", "CASCADE") for name in names]


def ordered(names: list[str], refers_to: dict[str, list[str]]) -> list[str]:
    return [one.relationship for one in leaves_first(referring(*names), refers_to)]


def test_what_refers_to_a_child_goes_before_it_however_they_come() -> None:
    refers_to = {"bots": ["accounts", "users"], "accounts": ["users"], "logs": ["bots", "users"]}
    for names in permutations(["accounts.userId", "bots.userId", "logs.userId"]):
        assert ordered(list(names), refers_to) == ["logs.userId", "bots.userId", "accounts.userId"]


def test_also_where_only_something_between_refers_to_it() -> None:
    refers_to = {"marks": ["leaves"], "leaves": ["branches"], "branches": ["trees"]}
    assert ordered(["branches.treeId", "marks.treeId"], refers_to) == ["marks.treeId", "branches.treeId"]


def test_all_relationships_of_one_child_stay_together() -> None:
    names = ["bots.userId", "accounts.userId", "bots.ownerId"]
    assert ordered(names, {"bots": ["accounts"]}) == ["bots.ownerId", "bots.userId", "accounts.userId"]


def test_circle_or_a_self_reference_ends_with_each_once() -> None:
    refers_to = {"a": ["b", "a"], "b": ["c"], "c": ["a"]}
    assert sorted(ordered(["a.x", "b.x", "c.x"], refers_to)) == ["a.x", "b.x", "c.x"]


def test_without_a_document_the_order_is_still_the_same_everywhere() -> None:
    assert ordered(["b.x", "a.x"], {}) == ordered(["a.x", "b.x"], {}) == ["a.x", "b.x"]
    assert ordered([], {"a": ["b"]}) == []


@given(st.data())
def test_no_child_comes_before_one_that_refers_to_it(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 7))
    refers_to = {
        f"e{one}": [f"e{other}" for other in data.draw(st.sets(st.integers(0, max(one - 1, 0)), max_size=3))]
        for one in range(1, count)
    }
    names = data.draw(st.permutations([f"e{one}.rootId" for one in range(count)]))
    places = {name.partition(".")[0]: place for place, name in enumerate(ordered(list(names), refers_to))}
    assert len(places) == count
    for child, parents in refers_to.items():
        assert all(places[child] < places[parent] for parent in parents)
