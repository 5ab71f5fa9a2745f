"""Which documents are used: the good ones, and of a service whose new one is bad, the last good one."""

import json

import pytest
from stub_documents import Json, document, entity, reference

from gateway.assembly import Assembly
from gateway.documents import ServiceDocument, read_document
from gateway.reference_spec import DocumentRefusedError

USERS = {"users": entity("userId")}


def made(service: str, entities: Json, path: str | None = None, version: str = "1") -> ServiceDocument:
    paths: Json = {path or f"/v1/{service}": {"get": {}}}
    written = document(service, entities, paths, info={"title": service, "version": version})
    return read_document(service, json.dumps(written).encode())


def child(parent: str, name: str = "bots") -> Json:
    return {name: entity("id", reference(f"{name}.parentId", parent))}


def test_document_may_refer_to_an_entity_of_a_service_that_is_not_there_yet() -> None:
    assembly = Assembly(["users", "bots"])
    assert assembly.offer(made("bots", child("users")))
    assert list(assembly.catalogue.missing) == ["users"]
    assert assembly.offer(made("users", USERS))
    assert not assembly.catalogue.missing
    assert assembly.refused == {}


@pytest.mark.parametrize("order", [["users", "bots"], ["bots", "users"]])
def test_document_that_refers_to_an_unknown_entity_is_the_one_that_is_refused(order: list[str]) -> None:
    documents = {"users": made("users", USERS), "bots": made("bots", child("ghosts"))}
    assembly = Assembly(["users", "bots"])
    for name in order:
        assembly.offer(documents[name])
    assert set(assembly.catalogue.documents) == {"users"}
    assert "ghosts" in assembly.refused["bots"][1]


def test_refused_document_is_tried_again_when_another_one_changes() -> None:
    assembly = Assembly(["users", "bots"])
    assembly.offer(made("users", USERS))
    assert not assembly.offer(made("bots", child("ghosts")))
    assert assembly.offer(made("users", {**USERS, "ghosts": entity("ghostId")}, version="2"))
    assert set(assembly.catalogue.documents) == {"users", "bots"}
    assert assembly.refused == {}


def test_last_good_document_stays_when_the_next_is_refused() -> None:
    assembly = Assembly(["users", "bots"])
    assembly.offer(made("users", USERS))
    good = made("bots", child("users"))
    assembly.offer(good)
    assert not assembly.offer(made("bots", child("ghosts")))
    assert assembly.catalogue.documents["bots"] is good
    assert assembly.offer(good) is False
    assert assembly.refused == {}


def test_owner_cannot_take_away_what_others_refer_to() -> None:
    assembly = Assembly(["users", "bots"])
    assembly.offer(made("users", {**USERS, "teams": entity("teamId")}))
    assembly.offer(made("bots", child("teams")))
    assert not assembly.offer(made("users", USERS, version="2"))
    assert "teams is gone" in assembly.refused["users"][1]
    assert "teams" in assembly.catalogue.owners


def test_same_document_again_changes_nothing() -> None:
    assembly = Assembly(["users"])
    assert assembly.offer(made("users", USERS))
    before = assembly.catalogue
    assert not assembly.offer(made("users", USERS))
    assert assembly.catalogue is before


def test_entity_and_route_belong_to_who_had_them_first() -> None:
    assembly = Assembly(["users", "bots"])
    assembly.offer(made("users", USERS, "/v1/{what}"))
    assert not assembly.offer(made("bots", USERS))
    assert "an entity of users" in assembly.refused["bots"][1]
    assert not assembly.offer(made("bots", child("users"), "/v1/{other}"))
    assert "a route of users" in assembly.refused["bots"][1]


def test_key_of_a_reference_must_be_its_parents() -> None:
    pairs = {"pairs": entity("pairId", composite=["exchange", "symbol"])}
    wrong = {"bots": entity("id", reference("bots.pair", "pairs", key={"pair": "symbol"}))}
    right = {"bots": entity("id", reference("bots.pair", "pairs", key={"pair": "symbol", "exchange": "exchange"}))}
    assembly = Assembly(["markets", "bots"])
    assembly.offer(made("markets", pairs))
    assert not assembly.offer(made("bots", wrong))
    assert assembly.offer(made("bots", right))


def test_owners_are_told_of_each_parent_of_a_reference_and_of_other_services_only() -> None:
    several: Json = {
        "type": "string",
        "x-reference": {
            "relationship": "logs.sourceId",
            "by": "kind",
            "parents": {"user": {"parent": "users"}, "log": {"parent": "logs"}},
            "onDelete": "RESTRICT",
        },
    }
    assembly = Assembly(["users", "bots"])
    assembly.offer(made("users", USERS))
    assembly.offer(made("bots", {"logs": entity("logId", several)}))
    told = assembly.catalogue.registrations("users")
    assert [(one.name, one.parent) for one in told["bots"]] == [("logs.sourceId", "users")]
    assert assembly.catalogue.registrations("bots") == {}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"openapi": 3}, "OpenAPI 3"),
        ({"paths": []}, "no paths"),
        ({"paths": {"x": {}}}, "not a path"),
        ({"paths": {"/x": []}}, "not a path"),
        ({"paths": {"/x": {"get": []}}}, "not an operation"),
        ({"paths": {"/x": {"get": {"operationId": "a", "parameters": {}}}}}, "parameters"),
        ({"paths": {"/x": {"post": {"operationId": "a", "x-body-bytes-max": "1"}}}}, "x-body-bytes-max"),
        ({"paths": {"/x": {"post": {"operationId": "a", "x-references-digest": "d"}}}}, "no reference is found"),
        ({"x-entities": []}, "no x-entities"),
        ({"x-entities": {"a": {}}}, "no key"),
        ({"x-entities": {"a": {"key": "id", "references": {}}}}, "references is not"),
        ({"x-entities": {"a": {"key": "id", "references": [{}]}}}, "no relationship"),
        ({"x-entities": {"b": entity("id", reference("a.x", "users"))}}, "of another entity"),
    ],
)
def test_malformed_document_is_refused_with_the_place(change: Json, why: str) -> None:
    written = {**document("users", USERS, {"/v1/users": {"get": {}}}), **change}
    with pytest.raises(DocumentRefusedError, match=why):
        read_document("users", json.dumps(written).encode())


@pytest.mark.parametrize("body", [b"", b"x", b"\xff", b"[" * 600 + b"]" * 600])
def test_words_that_are_no_document_are_refused(body: bytes) -> None:
    with pytest.raises(DocumentRefusedError):
        read_document("users", body)


def test_schema_that_nests_without_end_is_refused() -> None:
    levels = 450
    schema = '{"properties":{"a":' * levels + "{}" + "}}" * levels
    body = {"content": {"application/json": {"schema": "here"}}}
    written = document("users", USERS, {"/x": {"post": {"requestBody": body}}})
    text = json.dumps(written).replace('"here"', schema)
    with pytest.raises(DocumentRefusedError, match="too deep"):
        read_document("users", text.encode())
