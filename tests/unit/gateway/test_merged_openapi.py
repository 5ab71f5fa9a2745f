"""One document out of several: nothing lost, nothing mixed up."""

import json
from typing import Any

from stub_documents import Json, document, entity

from gateway.catalogue import Catalogue
from gateway.documents import ServiceDocument, read_document
from gateway.merged_openapi import merge


def service(name: str, schemas: Json, *, path: str | None = None, operation: Json | None = None) -> ServiceDocument:
    get = {
        "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Out"}}}}},
        **(operation or {}),
    }
    made = document(name, {f"{name}_things": entity("id")}, {path or f"/v1/{name}": {"get": get}}, schemas)
    return read_document(name, json.dumps(made).encode())


def refers_to(merged: Json, path: str) -> Any:
    return merged["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]


def test_schemas_that_are_the_same_are_shared() -> None:
    same = {"Out": {"type": "object"}}
    merged = merge([service("a", same), service("b", same)])
    assert list(merged["components"]["schemas"]) == ["Out"]
    assert refers_to(merged, "/v1/a") == refers_to(merged, "/v1/b") == "#/components/schemas/Out"


def test_schemas_that_differ_are_named_after_their_service() -> None:
    merged = merge([service("a", {"Out": {"type": "object"}}), service("b", {"Out": {"type": "string"}})])
    assert merged["components"]["schemas"] == {"a_Out": {"type": "object"}, "b_Out": {"type": "string"}}
    assert refers_to(merged, "/v1/b") == "#/components/schemas/b_Out"


def test_schemas_that_read_the_same_but_refer_to_others_are_named_after_their_service_too() -> None:
    outer = {"properties": {"x": {"$ref": "#/components/schemas/Inner"}}}
    far = {"properties": {"y": {"$ref": "#/components/schemas/Out"}}}
    merged = merge(
        [
            service("a", {"Out": outer, "Far": far, "Inner": {"type": "object"}}),
            service("b", {"Out": outer, "Far": far, "Inner": {"type": "string"}}),
        ]
    )
    schemas = merged["components"]["schemas"]
    assert set(schemas) == {"a_Out", "b_Out", "a_Inner", "b_Inner", "a_Far", "b_Far"}
    assert schemas["b_Out"]["properties"]["x"]["$ref"] == "#/components/schemas/b_Inner"
    assert schemas["b_Far"]["properties"]["y"]["$ref"] == "#/components/schemas/b_Out"


def test_every_reference_of_the_merged_document_leads_somewhere() -> None:
    mapped = {"discriminator": {"propertyName": "k", "mapping": {"x": "#/components/schemas/In"}}, "oneOf": []}
    merged = merge(
        [
            service("a", {"Out": mapped, "In": {"type": "object"}}),
            service("b", {"Out": mapped, "In": {"type": "string"}}),
        ]
    )
    text = json.dumps(merged)
    for found in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert found in merged["components"]["schemas"]


def test_operations_keep_apart_by_tag_id_and_security() -> None:
    tagged = {"operationId": "get", "tags": ["things"], "security": [{"apiKey": []}]}
    merged = merge(
        [
            service("a", {"Out": {}}, operation=tagged),
            service("b", {"Out": {}}, operation={"operationId": "get", "security": []}),
        ]
    )
    first, second = merged["paths"]["/v1/a"]["get"], merged["paths"]["/v1/b"]["get"]
    assert (first["tags"], second["tags"]) == (["things"], ["b"])
    assert (first["operationId"], second["operationId"]) == ("get", "b_get")
    assert "security" not in first
    assert second["security"] == []
    assert merged["x-tagGroups"][:2] == [{"name": "a", "tags": ["things"]}, {"name": "b", "tags": ["b"]}]


def test_private_paths_are_left_out() -> None:
    merged = merge([service("a", {"Out": {}}, path="/internal/x"), service("b", {"Out": {}})])
    assert list(merged["paths"]) == ["/v1/b"]
    assert set(merged["x-entities"]) == {"a_things", "b_things"}


def test_the_gateways_own_operations_stand_beside_the_services() -> None:
    own = {"/v1/own/{id}": {"get": {"operationId": "getOwn", "tags": ["own"]}}}
    merged = merge([service("a", {"Out": {}})], own)
    assert merged["paths"]["/v1/own/{id}"]["get"]["x-service"] == "gateway"
    assert {"name": "own"} in merged["tags"]
    assert merged["x-tagGroups"][-1] == {"name": "gateway", "tags": ["own"]}


def test_document_is_the_same_whichever_service_answered_first() -> None:
    a, b = (service(name, {"Out": {"type": "object"}}) for name in "ab")
    first, second = Catalogue({"a": a, "b": b}, "ba"), Catalogue({"b": b, "a": a}, "ba")
    assert [one["name"] for one in merge(list(first.documents.values()))["x-tagGroups"]] == ["b", "a", "gateway"]
    assert json.dumps(merge(list(first.documents.values()))) == json.dumps(merge(list(second.documents.values())))
