"""The document says what every operation takes, answers and refuses."""

from typing import Any

import pytest
from fastapi import FastAPI

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> dict[str, Any]:
    return {
        operation["operationId"]: operation
        for item in document["paths"].values()
        for method, operation in item.items()
        if method in METHODS
    }


def codes(operation: dict[str, Any], status: str) -> list[str]:
    found: list[str] = operation["responses"][status]["x-codes"]
    return found


def test_every_refusal_is_a_problem_document(document: dict[str, Any]) -> None:
    for operation in operations(document).values():
        refusals = {status: entry for status, entry in operation["responses"].items() if int(status) >= 400}
        assert {"500", "503", "504"} <= set(refusals)
        for entry in refusals.values():
            schema = entry["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}
    schemas = document["components"]["schemas"]
    assert {"pointer", "code", "detail"} <= set(schemas["Problem"]["properties"]["errors"]["items"]["properties"])
    assert "HTTPValidationError" not in schemas
    assert "ValidationError" not in schemas


def test_refusals_follow_from_the_form_of_the_operation_and_from_what_its_route_says(document: dict[str, Any]) -> None:
    named = operations(document)
    create, change, get = named["createNote"], named["changeNote"], named["getNote"]
    assert codes(create, "409") == ["already-exists", "idempotency-running"]
    assert codes(create, "422") == ["idempotency-mismatch", "invalid-request"]
    assert codes(create, "415") == ["unsupported-media-type"]
    assert codes(change, "412") == ["version-mismatch"]
    assert codes(get, "404") == ["not-found"]
    assert "409" not in get["responses"]
    assert "413" not in get["responses"]


def test_operations_are_protected_unless_they_are_public(document: dict[str, Any]) -> None:
    assert document["security"] == [{"bearer": []}, {"apiKey": []}]
    assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey"}
    public = {name for name, operation in operations(document).items() if operation.get("security") == []}
    assert public == {"signInToNotes"}
    assert "401" not in operations(document)["signInToNotes"]["responses"]


def test_post_takes_an_idempotency_key_unless_it_says_otherwise(document: dict[str, Any]) -> None:
    named = operations(document)
    taking = {
        name
        for name, operation in named.items()
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))
    }
    assert {"createNote", "pingNotes"} <= taking
    assert taking.isdisjoint({"signInToNotes", "getNote", "changeNote"})


def test_parameters_and_bodies_are_described_by_their_wire_names(document: dict[str, Any]) -> None:
    named = operations(document)
    paging = {parameter["name"] for parameter in named["listNotes"]["parameters"]}
    assert {"limit", "cursor", "sort", "title"} <= paging
    assert {parameter["name"] for parameter in named["changeNote"]["parameters"]} == {"noteId", "If-Match"}
    assert set(named["signInToNotes"]["requestBody"]["content"]) == {
        "application/json",
        "application/x-www-form-urlencoded",
    }
    assert document["components"]["schemas"]["NoteIn"]["additionalProperties"] is False
    assert set(document["components"]["schemas"]["NoteOut"]["required"]) == {"noteId", "title", "createdAt", "version"}


def test_service_is_named_and_nothing_of_kits_own_is_left_over(document: dict[str, Any]) -> None:
    assert document["x-service"] == "notes"
    for operation in operations(document).values():
        assert not {"x-idempotency-key", "x-form-body"} & set(operation)
    assert operations(document)["importNotes"]["x-body-bytes-max"] == 4 * 1024 * 1024
