from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, create_model

from kit.ids import Id
from kit.references.declaration import (
    CASCADE,
    RESTRICT,
    SET_NULL,
    DeclarationError,
    Parent,
    Reference,
    digest_of,
    intent_key,
    whole_key,
)


def bound(reference: Reference, child: str = "bots", field: str = "userId", *, nullable: bool = False) -> Reference:
    reference.bind(child, field, nullable=nullable)
    return reference


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_delete": RESTRICT}, "either one parent"),
        ({"parent": "users", "parents": {"a": Parent("b")}, "by": "kind", "on_delete": RESTRICT}, "either one parent"),
        ({"parents": {"a": Parent("b")}, "on_delete": RESTRICT}, "both `by` and `parents`"),
        ({"parent": "users", "by": "kind", "on_delete": RESTRICT}, "both `by` and `parents`"),
        (
            {"parents": {"a": Parent("b")}, "by": "kind", "match": {"a": "b"}, "on_delete": RESTRICT},
            "each of its Parents",
        ),
        ({"parent": "users", "restrict_if": {"a": 1}, "on_delete": RESTRICT}, "narrows a CASCADE"),
        ({"parent": "users", "via": "stakeId", "on_delete": CASCADE}, "needs on_delete=RESTRICT"),
        ({"parent": "users", "default": "somebody", "on_delete": CASCADE}, 'is "caller"'),
    ],
)
def test_options_that_exclude_each_other_are_refused_with_what_to_write(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        Reference(**options)


def test_relationship_of_an_alias_that_no_stored_field_uses_is_refused() -> None:
    reference = Reference("users", on_delete=CASCADE)
    with pytest.raises(DeclarationError, match="belongs to no stored field"):
        _ = reference.relationship


def test_alias_belongs_to_one_stored_field() -> None:
    reference = bound(Reference("users", on_delete=CASCADE))
    with pytest.raises(DeclarationError, match=r"bots\.ownerId uses the alias that belongs to bots\.userId"):
        bound(reference, field="ownerId")


def test_set_null_needs_a_nullable_field() -> None:
    with pytest.raises(DeclarationError, match="SET_NULL needs a nullable field"):
        bound(Reference("users", on_delete=SET_NULL))


@pytest.mark.parametrize(
    ("annotation", "path"),
    [
        ("plain", ("properties", "field", "x-reference")),
        ("optional", ("properties", "field", "anyOf", 0, "x-reference")),
        ("list", ("properties", "field", "items", "x-reference")),
        ("nested", ("$defs", "Inner", "properties", "field", "x-reference")),
    ],
)
def test_request_schema_says_the_reference_wherever_it_hides(annotation: str, path: tuple[Any, ...]) -> None:
    alias = Annotated[Id, bound(Reference("users", on_delete=CASCADE, copy={"name": "userName"}, default="caller"))]
    inner = create_model("Inner", field=(alias, ...))
    annotations: dict[str, Any] = {"plain": alias, "optional": alias | None, "list": list[alias], "nested": inner}
    model: type[BaseModel] = create_model("Model", field=(annotations[annotation], Field()))
    found: Any = model.model_json_schema()
    for step in path:
        found = found[step]
    assert found == {
        "relationship": "bots.userId",
        "onDelete": "CASCADE",
        "parent": "users",
        "copy": {"name": "userName"},
        "default": "caller",
    }


def test_polymorphic_reference_is_published_with_its_parents() -> None:
    reference = Reference(
        by="kind", parents={"a": Parent("stakes", match={"userId": "userId"}), "b": Parent("camps")}, on_delete=RESTRICT
    )
    assert bound(reference, "logs", "sourceId").published() == {
        "relationship": "logs.sourceId",
        "onDelete": "RESTRICT",
        "by": "kind",
        "parents": {"a": {"parent": "stakes", "match": {"userId": "userId"}}, "b": {"parent": "camps"}},
    }


def test_digest_does_not_depend_on_order_or_repetition() -> None:
    one, other = {"relationship": "a.b", "parent": "p", "onDelete": "CASCADE"}, {"relationship": "c.d", "parent": "q"}
    again = dict(reversed(one.items()))
    assert digest_of([one, other]) == digest_of([other, again, one])


@pytest.mark.parametrize(
    "changed", [{"parent": "q"}, {"onDelete": "RESTRICT"}, {"match": {"a": "b"}}, {"copy": {"a": "b"}}]
)
def test_digest_tells_any_change_of_a_relationship(changed: dict[str, Any]) -> None:
    one = {"relationship": "a.b", "parent": "p", "onDelete": "CASCADE"}
    assert digest_of([one]) != digest_of([{**one, **changed}])


def test_keys_of_intents_and_closures() -> None:
    assert intent_key("bots.userId", "users", "7") == "bots.userId|users|7"
    assert whole_key("bots.userId") == "bots.userId|*"
