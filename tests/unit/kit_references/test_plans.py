import pytest
from office import NOW, Desk, Log, desk

from kit.ids import new_id
from kit.problems import InvalidRequest
from kit.references.plans import EntityPlan, Use, look_keys, named_by
from kit.store.codec import to_row


def uses_of(row: dict[str, object], plan: EntityPlan) -> dict[str, Use]:
    return {use.field: use for use in plan.uses(row)}


def test_references_are_found_and_an_empty_one_is_none() -> None:
    one = desk()
    found = uses_of(to_row(one), EntityPlan(Desk))
    assert set(found) == {"personId", "cardId", "door"}
    assert found["personId"].parent_id == one.person_id
    assert found["door"].parent_id is None
    assert found["door"].parent_key() == {"floor": "main", "door": "12"}
    assert found["cardId"].matched(to_row(one)) == {"personId": one.person_id}


def log(source_type: str) -> dict[str, object]:
    one = Log(id="l", person_id=new_id(), source_type=source_type, source_id=new_id(), created_at=NOW, updated_at=NOW)
    return to_row(one)


def test_polymorphic_reference_names_the_parent_of_its_discriminator() -> None:
    assert uses_of(log("card"), EntityPlan(Log))["sourceId"].target.entity == "cards"
    assert uses_of(log("case"), EntityPlan(Log))["sourceId"].target.entity == "cases"


def test_reference_that_another_implies_is_left_out_for_that_discriminator_only() -> None:
    assert set(uses_of(log("case"), EntityPlan(Log))) == {"sourceId"}
    assert set(uses_of(log("card"), EntityPlan(Log))) == {"personId", "sourceId"}


def test_unknown_discriminator_is_refused_at_its_field() -> None:
    with pytest.raises(InvalidRequest) as refused:
        EntityPlan(Log).uses(log("nothing"))
    assert [error.pointer for error in refused.value.errors] == ["/sourceType"]


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ({"name": "other"}, set()),
        ({"state": "busy"}, set()),
        ({"cardId": "other"}, {"cardId"}),
        ({"personId": "other"}, {"personId", "cardId"}),
        ({"floor": "other"}, {"door"}),
        ({"lampId": "new"}, {"lampId"}),
    ],
)
def test_change_validates_what_it_changes_and_what_shares_a_match_with_it(
    changed: dict[str, str], again: set[str]
) -> None:
    before = to_row(desk())
    after = {**before, **changed}
    plan = EntityPlan(Desk)
    assert {use.field for use in plan.to_validate(before, after, plan.uses(after))} == again


def test_look_up_asks_for_each_key_and_each_whole_relationship_once() -> None:
    assert look_keys(["a.b|p|1", "a.b|p|2", "c.d|q|3"]) == ["a.b|p|1", "a.b|p|2", "c.d|q|3", "a.b|*", "c.d|*"]


def test_closed_references_are_named() -> None:
    assert named_by("a.b|p|x|y") == {"relationship": "a.b", "parent": "p", "id": "x|y"}
    assert named_by("a.b|*") == {"relationship": "a.b", "parent": "", "id": "*"}
