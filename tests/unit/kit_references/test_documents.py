from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

import pytest
from office import DOCUMENTS, Case, Desk, DeskEvent, Log, Room, desk

from kit.documents import Entity, Part, Record, Stored
from kit.ids import Id, new_id
from kit.references.checks import check_service
from kit.references.declaration import CASCADE, RESTRICT, DeclarationError, Reference
from kit.references.rules import EntityRules, OwnerField, PartOf
from kit.store import index
from kit.store.codec import from_row, to_row
from kit.store.indexes import index_fields


def make(fields: dict[str, Any], *, base: type[Stored] = Entity, name: str = "things", **attributes: Any) -> type[Any]:
    """A document class with these annotations."""
    inner = {"name": name, "indexes": attributes.pop("indexes", []), "__module__": __name__}
    settings = type("Settings", (), {**inner, "__qualname__": "Thing.Settings"})
    if base is Entity:
        attributes.setdefault("rules", EntityRules(key="thingId"))
    classvars = dict.fromkeys(attributes, ClassVar[Any])
    namespace: dict[str, Any] = {
        "__annotations__": {**classvars, **fields},
        "__module__": __name__,
        "__qualname__": "Thing",
    }
    namespace |= {"Settings": settings, **attributes}
    metaclass: Any = type(base)
    made: type[Any] = metaclass("Thing", (base,), namespace)
    return made


def reference(parent: str = "users", **options: Any) -> Any:
    return Annotated[Id, Reference(parent, **{"on_delete": RESTRICT, **options})]


def test_service_with_every_kind_of_reference_is_taken() -> None:
    check_service(DOCUMENTS)


def test_relationships_are_bound_by_the_class() -> None:
    assert {one.relationship for one in Desk.references.values()} == {
        "desks.personId",
        "desks.cardId",
        "desks.door",
        "desks.lampId",
    }
    assert Desk.references["lampId"].nullable


def test_document_is_a_value_that_needs_no_database() -> None:
    one = desk(strategy={"params": {"a": None}})
    row = to_row(one)
    assert row["_id"] == one.id
    assert row["personId"] == one.person_id
    assert "lampId" not in row
    assert from_row(Desk, {**row, "_token": "t", "_intent": {"kind": "change"}}) == one


@pytest.mark.parametrize("value", [{1.5, 2.5}, frozenset({1})])
def test_value_that_a_store_would_change_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="isn't kept alike"):
        to_row(desk(strategy={"a": value}))


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: make({"owner_id": Id}), r"Thing\.ownerId is an Id, but neither the key nor a reference"),
        (lambda: make({"owner_ids": list[Id]}), "hides an id or a reference"),
        (lambda: make({"id": reference()}), "the key can't be a reference"),
        (lambda: make({"a": str}, rules=None), "an Entity needs `rules"),
        (lambda: make({"user_id": reference(match={"team": "team"})}), "`match` names team, which is no stored field"),
        (lambda: make({"user_id": reference(copy={"nick": "name"})}), "`copy` names nick, which is no stored field"),
        (lambda: make({"user_id": reference(key={"a": "b"})}), "`key` names a, which is no stored field"),
        (lambda: make({"user_id": reference(via="stakeId")}), "`via` names stakeId, which is no stored field"),
        (lambda: make({"a": str}, rules=EntityRules(key="k", exposes=("b",))), "`exposes` names b"),
        (lambda: make({"a": str}, rules=EntityRules(key="k", conditions=("b",))), "`conditions` names b"),
        (lambda: make({"a": str}, rules=EntityRules("k", (OwnerField("b"),))), "`referable_by` names b"),
        (lambda: make({"a": str}, rules=EntityRules(key="k", composite=("a",))), "needs a unique index on exactly"),
        (lambda: make({"a": str}, base=Part), "a Part needs `part_of"),
        (lambda: make({"a": str}, base=Part, part_of=PartOf("bots", "botId")), "part_of names botId"),
        (
            lambda: make({"bot_id": Id, "user_id": Id}, base=Part, part_of=PartOf("bots", "botId")),
            r"Thing\.userId: besides its key a Part holds one id",
        ),
        (lambda: make({"user_id": Id}, base=Record), "a Record refers to nothing"),
    ],
)
def test_wrong_class_is_refused_with_its_field_and_what_to_write(declare: Callable[[], Any], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        declare()


def test_two_documents_cannot_share_an_alias() -> None:
    alias = reference()
    make({"user_id": alias}, name="firsts")
    with pytest.raises(DeclarationError, match=r"seconds\.userId uses the alias that belongs to firsts\.userId"):
        make({"user_id": alias}, name="seconds")


def test_two_documents_cannot_share_a_collection() -> None:
    with pytest.raises(DeclarationError, match="are both called things"):
        check_service([make({"a": str}), make({"b": str})])


def test_part_needs_its_aggregate_in_the_same_service() -> None:
    with pytest.raises(DeclarationError, match="is a part of desks, which is no entity of this service"):
        check_service([DeskEvent, Room])


@pytest.mark.parametrize("option", ["match", "copy"])
def test_only_exposed_fields_of_a_parent_may_be_named(option: str) -> None:
    def options(field: str) -> dict[str, Any]:
        return {option: {field: field}}

    parent = make({"team": str, "email": str}, name="users", rules=EntityRules("userId", exposes=("team",)))
    taken = make({"user_id": reference("users", **options("team")), "team": str}, name="as")
    refused = make({"user_id": reference("users", **options("email")), "email": str}, name="bs")
    check_service([parent, taken])
    with pytest.raises(DeclarationError, match="does not expose"):
        check_service([parent, refused])


def test_composite_key_must_be_the_parents_natural_key() -> None:
    alias = Annotated[str, Reference("rooms", on_delete=RESTRICT, key={"door": "door", "floor": "floor"})]
    child = make({"door": alias, "floor": str}, name="chairs")
    with pytest.raises(DeclarationError, match="whose natural key is"):
        check_service([Room, child])


def test_via_needs_restrict_and_a_match_on_both_steps() -> None:
    check_service([Log, Case])
    loose = make({"person_id": reference("people", on_delete=CASCADE)}, name="cases")
    with pytest.raises(DeclarationError, match="to hold the same parent by `match`"):
        check_service([Log, loose])
    with pytest.raises(DeclarationError, match="which is of another database"):
        check_service([Log])


def test_references_and_intents_are_indexed_for_the_deletes_that_look_for_them() -> None:
    indexed = [index_fields(one) for one in Desk.declared_indexes()]
    assert ("personId", "name") in indexed
    assert ("cardId",) in indexed
    assert ("floor", "door") in indexed
    assert ("_intent.refs",) in indexed
    assert [index_fields(one) for one in Room.declared_indexes()] == [("floor", "door")]


def test_declared_index_that_begins_with_the_reference_is_enough() -> None:
    made = make({"user_id": reference(), "a": str}, indexes=[index("userId", "a")])
    assert [index_fields(one) for one in made.declared_indexes()] == [("userId", "a"), ("_intent.refs",)]


def test_times_and_ids_survive_the_row() -> None:
    moment = datetime(2026, 11, 23, 15, 27, 18, 123000, tzinfo=UTC)
    one = Room(id=new_id(), floor="a", door="b", created_at=moment, updated_at=moment)
    assert from_row(Room, to_row(one)).created_at == moment


def test_service_whose_deletes_could_not_be_decided_is_refused() -> None:
    users = make({}, name="users", rules=EntityRules("userId"))
    account = {"user_id": reference("users", on_delete=CASCADE)}
    accounts = make(account, name="accounts", rules=EntityRules("accountId", exposes=("userId",)))
    bots = make({"account_id": reference("accounts"), "user_id": str}, name="bots")
    with pytest.raises(DeclarationError, match="RESTRICT to accounts could block a delete of users half-way"):
        check_service([users, accounts, bots])
    decided = {"account_id": reference("accounts", match={"userId": "userId"}), "user_id": reference("users")}
    check_service([users, accounts, make(decided, name="bots")])


def test_reference_to_what_nobody_may_refer_to_is_refused() -> None:
    leaf = make({}, name="leaves", rules=EntityRules("leafId", referable_by=()))
    with pytest.raises(DeclarationError, match="leaves may be referred to by nobody"):
        check_service([leaf, make({"leaf_id": reference("leaves")}, name="bs")])


def test_circle_that_a_cascade_leads_into_is_refused() -> None:
    with pytest.raises(DeclarationError, match="CASCADE leads into a circle of references without SET_NULL"):
        check_service([make({"next_id": reference("things", on_delete=CASCADE)})])
