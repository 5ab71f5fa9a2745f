"""References are found in a request wherever its schema hides them, and turned into questions for owners."""

from collections.abc import Callable
from typing import Any

import pytest
from stub_documents import Json, model, reference
from stub_platform import ALICE, BOB, BOT_ACCOUNT, BOT_PAIR, BOT_USER, NULL, REWARD_SOURCE, REWARD_USER, TEXT, UNKNOWN

from gateway.extraction import Resolver, UnresolvedError, Wanted, in_body
from gateway.reference_spec import DocumentRefusedError
from gateway.schema_reader import SchemaReader, specs_of
from kit.problems import PayloadTooLarge

PLAIN = reference("things.ownerId", "owners")


def found(schema: Json, body: Any, schemas: Json | None = None, caller: str | None = ALICE) -> dict[str, Any]:
    """By pointer, the values that refer to something."""
    node = SchemaReader({"components": {"schemas": schemas or {}}}).read(schema, "body")
    return {} if node is None else {one.pointer: one.value for one in in_body(node, body, caller)}


def component(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


PLACES: list[tuple[str, Json, Any, dict[str, str]]] = [
    ("property", model(a=PLAIN), {"a": "1"}, {"/a": "1"}),
    ("null", model(a={"anyOf": [PLAIN, NULL]}), {"a": "1"}, {"/a": "1"}),
    ("null given", model(a={"anyOf": [PLAIN, NULL]}), {"a": None}, {}),
    ("left out", model(a=PLAIN), {}, {}),
    ("allOf", {"allOf": [model(a=PLAIN), model(b=PLAIN)]}, {"a": "1", "b": "2"}, {"/a": "1", "/b": "2"}),
    ("nested", model(a=model(b=PLAIN)), {"a": {"b": "1"}}, {"/a/b": "1"}),
    ("items", {"type": "array", "items": model(a=PLAIN)}, [{"a": "1"}, {"a": "2"}], {"/0/a": "1", "/1/a": "2"}),
    ("list of ids", model(a={"type": "array", "items": PLAIN}), {"a": ["1", "2"]}, {"/a/0": "1", "/a/1": "2"}),
    ("tuple", model(a={"prefixItems": [TEXT, PLAIN]}), {"a": ["x", "1"]}, {"/a/1": "1"}),
    ("map", {"additionalProperties": model(a=PLAIN)}, {"x": {"a": "1"}}, {"/x/a": "1"}),
    ("escaped name", model(**{"a/b~c": PLAIN}), {"a/b~c": "1"}, {"/a~1b~0c": "1"}),
    ("another shape", model(a=model(b=PLAIN)), {"a": ["b"]}, {}),
]


@pytest.mark.parametrize(("schema", "body", "expected"), [one[1:] for one in PLACES], ids=[one[0] for one in PLACES])
def test_reference_is_found_where_it_hides(schema: Json, body: Any, expected: dict[str, str]) -> None:
    assert found(schema, body) == expected


def test_reference_is_found_behind_a_name_and_beside_one() -> None:
    schemas = {"Outer": model(inner=component("Inner")), "Inner": model(a=component("Id")), "Id": PLAIN}
    assert found(component("Outer"), {"inner": {"a": "1"}}, schemas) == {"/inner/a": "1"}
    beside = model(a={"$ref": "#/components/schemas/Text", "description": "x", **PLAIN})
    assert found(beside, {"a": "1"}, {"Text": TEXT}) == {"/a": "1"}


def test_recursive_schema_is_walked_to_the_end_of_the_body() -> None:
    schemas = {"Tree": model(a=PLAIN, children={"type": "array", "items": component("Tree")})}
    body = {"a": "1", "children": [{"a": "2", "children": [{"a": "3"}]}]}
    assert found(component("Tree"), body, schemas) == {"/a": "1", "/children/0/a": "2", "/children/0/children/0/a": "3"}


def test_discriminator_chooses_the_branch() -> None:
    schemas = {"Cat": model(kind=TEXT, a=PLAIN), "Dog": model(kind=TEXT, b=PLAIN)}
    mapping = {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"}
    union = {
        "oneOf": [component("Cat"), component("Dog")],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }
    assert found(union, {"kind": "dog", "a": "1", "b": "2"}, schemas) == {"/b": "2"}
    assert found(union, {"kind": "bird", "a": "1", "b": "2"}, schemas) == {}


def test_schemas_of_two_operations_do_not_lose_each_others_references() -> None:
    reader = SchemaReader({"components": {"schemas": {"Shared": model(a=PLAIN, b=TEXT)}}})
    first = reader.read(model(x=component("Shared"), y=TEXT), "first")
    second = reader.read({"type": "array", "items": component("Shared")}, "second")
    assert first is not None
    assert second is not None
    assert [one.value for one in in_body(first, {"x": {"a": "1"}}, None)] == ["1"]
    assert [one.value for one in in_body(second, [{"a": "2"}], None)] == ["2"]
    assert reader.read(model(y=TEXT), "third") is None
    assert {spec.relationship for spec in specs_of(first)} == {"things.ownerId"}


def test_field_that_defaults_to_the_caller_is_found_where_it_is_left_out() -> None:
    schema = model(userId={"anyOf": [BOT_USER, NULL]}, name=TEXT)
    for body in ({}, {"userId": None}):
        assert found(schema, body) == {"/userId": ALICE}
        assert found(schema, body, caller=None) == {}
    items = {"type": "array", "items": schema}
    assert found(items, [{}, {"userId": BOB}]) == {"/0/userId": ALICE, "/1/userId": BOB}


def test_more_references_than_are_taken_are_refused() -> None:
    node = SchemaReader({}).read({"type": "array", "items": PLAIN}, "body")
    assert node is not None
    with pytest.raises(PayloadTooLarge):
        in_body(node, ["1"] * 5_001, None)


NOT_AN_OBJECT: Any = []
NAMELESS: Json = {"type": "string", "x-reference": {"relationship": "a.b", "onDelete": "RESTRICT"}}
CHILDLESS: Json = {"type": "string", "x-reference": {**NAMELESS["x-reference"], "by": "kind"}}

BAD: list[tuple[str, Json, str]] = [
    ("leads out", {"$ref": "other.json#/x"}, "out of the document"),
    ("leads nowhere", component("Missing"), "leads nowhere"),
    ("not an object", model(a=NOT_AN_OBJECT), "not an object"),
    ("hidden", model(a={"not": PLAIN}), "under not"),
    ("if", {"if": model(a=PLAIN)}, "under if"),
    ("number", model(a={**PLAIN, "type": "integer"}), "not a string"),
    ("no rule", model(a=reference("a.b", "c", on_delete="MAYBE")), "onDelete"),
    ("no parent", model(a=NAMELESS), "parent"),
    ("bad name", model(a=reference("ab", "c")), "collection.field"),
    ("bad match", model(a=reference("a.b", "c", match={"x": 1})), "match"),
    ("bad default", model(a=reference("a.b", "c", default="nobody")), "default"),
    ("no parents", model(a=CHILDLESS), "no parents"),
    ("itself", component("Self"), "alternative of itself"),
]


@pytest.mark.parametrize(("schema", "why"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_schema_that_cannot_be_read_is_refused_with_its_place(schema: Json, why: str) -> None:
    schemas = {"Self": {"anyOf": [component("Self"), model(a=PLAIN)]}}
    with pytest.raises(DocumentRefusedError, match=why) as refused:
        SchemaReader({"components": {"schemas": schemas}}).read(schema, "POST /x body")
    assert "POST /x body" in str(refused.value) or "#/components" in str(refused.value)


# Questions.


def resolver(schema: Json, body: Any, **parameters: str) -> tuple[Resolver, Callable[[str], Wanted | None]]:
    node = SchemaReader({}).read(schema, "body")
    assert node is not None
    references = in_body(node, body, ALICE)
    made = Resolver(parameters, ALICE, references)
    by_pointer = {one.pointer: one for one in references}
    return made, lambda pointer: made.wanted(by_pointer[pointer])


BOT = model(userId=BOT_USER, exchangeAccountId=BOT_ACCOUNT, exchange=TEXT, marketPair=BOT_PAIR)


@pytest.mark.parametrize(
    ("body", "owner"), [({}, ALICE), ({"userId": BOB}, BOB)], ids=["defaulted to the caller", "given"]
)
def test_match_is_taken_from_the_object_the_reference_stands_in(body: Json, owner: str) -> None:
    _, wanted = resolver(BOT, {"exchangeAccountId": UNKNOWN, **body})
    question = wanted("/exchangeAccountId")
    assert question is not None
    assert (question.id, question.match, question.copy) == (UNKNOWN, {"userId": owner}, ("exchangeName",))


def test_match_may_come_from_the_path() -> None:
    account = {**BOT_ACCOUNT, "x-reference": {**BOT_ACCOUNT["x-reference"], "match": {"ownerId": "userId"}}}
    _, wanted = resolver(model(exchangeAccountId=account), {"exchangeAccountId": UNKNOWN}, ownerId=BOB)
    question = wanted("/exchangeAccountId")
    assert question is not None
    assert question.match == {"userId": BOB}


@pytest.mark.parametrize("exchange", [2**63, -(2**63) - 1, 1.5, ["kraken"], {"$ne": 1}, "k" * 257])
def test_what_no_store_can_be_asked_for_is_not_asked(exchange: Any) -> None:
    _, wanted = resolver(BOT, {"exchange": exchange, "marketPair": "BTC/USDT"})
    with pytest.raises(UnresolvedError):
        wanted("/marketPair")


@pytest.mark.parametrize("exchange", [2**63 - 1, -(2**63), "k" * 256])
def test_what_may_be_asked_for_is(exchange: Any) -> None:
    _, wanted = resolver(BOT, {"exchange": exchange, "marketPair": "BTC/USDT"})
    question = wanted("/marketPair")
    assert question is not None
    assert question.key == {"exchange": exchange, "symbol": "BTC/USDT"}


def test_natural_key_waits_for_what_another_reference_hands_over() -> None:
    made, wanted = resolver(BOT, {"exchangeAccountId": UNKNOWN, "marketPair": "BTC/USDT"})
    with pytest.raises(UnresolvedError):
        wanted("/marketPair")
    account = wanted("/exchangeAccountId")
    assert account is not None
    made.keep(account, {"exchangeName": "kraken"})
    pair = wanted("/marketPair")
    assert pair is not None
    assert (pair.id, pair.key) == (None, {"exchange": "kraken", "symbol": "BTC/USDT"})
    assert pair.child_key == {"exchange": "kraken", "marketPair": "BTC/USDT"}


@pytest.mark.parametrize("bad", ["not-an-id", 5, {"x": 1}])
def test_malformed_value_is_not_asked_about_and_nothing_is_matched_by_it(bad: Any) -> None:
    _, wanted = resolver(BOT, {"exchangeAccountId": UNKNOWN, "userId": bad})
    assert wanted("/userId") is None
    with pytest.raises(UnresolvedError):
        wanted("/exchangeAccountId")


def test_discriminator_names_the_parent_and_an_unknown_one_asks_nothing() -> None:
    schema = model(userId=REWARD_USER, sourceType=TEXT, sourceId=REWARD_SOURCE)
    for kind, parent in (("stake", "user_stakes"), ("account", "exchange_accounts"), ("gift", None)):
        _, wanted = resolver(schema, {"userId": BOB, "sourceType": kind, "sourceId": UNKNOWN})
        question = wanted("/sourceId")
        assert (question and question.parent) == parent
        if question is not None:
            assert question.match == {"userId": BOB}
