"""What the gateway asks a service over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from gateway_stand_in import Client, GatewayStandIn
from mock_store import mock_client
from office import CARD, PERSON, attached, desk, room
from office_service import KEY, office_app

from kit.ids import new_id

pytestmark = pytest.mark.anyio

REGISTER = "/internal/references/register"
VALIDATE = "/internal/references/validate"
PARENTS = "/internal/references/parents"
VISIT = {"relationship": "visits.deskId", "parent": "desks", "onDelete": "CASCADE", "match": {"personId": "personId"}}


@pytest.fixture
async def office(tmp_path: Path, anyio_backend: str) -> AsyncIterator[GatewayStandIn]:
    async with GatewayStandIn(office_app(tmp_path, mock_client()), "office", KEY.encode()) as started:
        await started.app.state.runtime.references.create(room())
        yield started


@pytest.fixture
def gateway(office: GatewayStandIn) -> Client:
    return office.anonymous()


async def test_nobody_but_the_gateway_is_answered(office: GatewayStandIn) -> None:
    for path in (REGISTER, VALIDATE, PARENTS):
        answer = await office.bare("POST", path, json={})
        assert answer.status_code == 401


async def test_relationships_are_registered_or_refused_one_by_one(gateway: Client) -> None:
    wishes = [
        VISIT,
        {**VISIT, "relationship": "visits.roomId", "parent": "cases"},
        {**VISIT, "relationship": "v.x", "parent": "x"},
    ]
    answer = await gateway.post(REGISTER, json={"service": "shop", "relationships": wishes})
    assert answer.status_code == 200
    assert answer.json()["registered"] == ["visits.deskId"]
    assert [(one["relationship"], one["code"]) for one in answer.json()["refused"]] == [
        ("visits.roomId", "no-consent"),
        ("v.x", "unknown-entity"),
    ]


async def test_questions_are_answered_in_order(office: GatewayStandIn, gateway: Client) -> None:
    one = desk()
    await office.app.state.runtime.references.create(one, attached(one))
    await gateway.post(REGISTER, json={"service": "shop", "relationships": [VISIT]})
    question = {"relationship": "visits.deskId", "parent": "desks", "caller": {"id": one.person_id, "roles": ["user"]}}
    items = [
        {**question, "id": one.id, "match": {"personId": one.person_id}, "copy": ["personId"]},
        {**question, "id": new_id()},
        {**question, "id": one.id, "caller": {"id": new_id(), "roles": ["user"]}},
        {**question, "id": one.id, "require": {"state": "busy"}},
        {**question, "relationship": "chairs.deskId", "id": one.id},
        {
            "relationship": "desks.door",
            "parent": "rooms",
            "key": {"floor": "main", "door": "12"},
            "caller": {"id": None},
        },
    ]
    answer = await gateway.post(VALIDATE, json={"items": items})
    assert answer.status_code == 200
    answered = answer.json()["items"]
    assert answered[0] == {"status": "ok", "id": one.id, "epoch": 0, "copied": {"personId": one.person_id}}
    assert [item["status"] for item in answered[1:]] == [
        "not-found", "not-found", "condition-failed", "unregistered", "ok",
    ]  # fmt: skip
    assert answered[5]["id"] == room().id


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        (REGISTER, {"service": 1, "relationships": []}, "/service"),
        (REGISTER, {"service": "s", "relationships": [{**VISIT, "onDelete": "DROP"}]}, "/relationships/0/onDelete"),
        (VALIDATE, {"items": {}}, "/items"),
        (VALIDATE, {"items": [{"relationship": "a.b", "parent": "p"}]}, "/items/0/id"),
        (VALIDATE, {"items": [{"relationship": "a.b", "parent": "p", "id": {"$ne": 1}}]}, "/items/0/id"),
        (
            VALIDATE,
            {"items": [{"relationship": "a.b", "parent": "p", "key": {"floor": {"$ne": 1}}}]},
            "/items/0/key/floor",
        ),
        (
            VALIDATE,
            {"items": [{"relationship": "a", "parent": "p", "id": "i", "match": {"a": []}}]},
            "/items/0/match/a",
        ),
        (
            VALIDATE,
            {"items": [{"relationship": "a", "parent": "p", "id": "i", "match": {"a": 2**63}}]},
            "/items/0/match/a",
        ),
        (VALIDATE, {"items": [{}] * 501}, "/items"),
    ],
)
async def test_malformed_question_is_refused_at_its_place(gateway: Client, path: str, body: Any, pointer: str) -> None:
    answer = await gateway.post(path, json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_service_names_the_parents_that_an_operation_has_conditions_on(
    office: GatewayStandIn, gateway: Client
) -> None:
    one = desk()
    await office.app.state.runtime.references.create(one, attached(one))
    asked = {"operationId": "occupyDesk", "pathParameters": {"deskId": one.id}, "body": None}
    answer = await gateway.post(PARENTS, json=asked)
    assert answer.json() == {
        "version": 1,
        "items": [
            {
                "relationship": PERSON,
                "parent": "people",
                "id": one.person_id,
                "match": {},
                "copy": [],
                "require": {"status": "active"},
                "pointer": "",
            }
        ],
    }
    unknown = await gateway.post(PARENTS, json={**asked, "pathParameters": {"deskId": new_id()}})
    assert unknown.status_code == 404
    assert (await gateway.post(PARENTS, json={**asked, "operationId": "createDesk"})).status_code == 428


async def test_document_publishes_entities_and_digests(office: GatewayStandIn) -> None:
    document = (await office.bare("GET", "/openapi.json")).json()
    assert document["x-service"] == "office"
    assert set(document["x-entities"]) == {"rooms", "desks", "tickets", "cases", "logs"}
    assert document["paths"]["/v1/desks"]["post"]["x-references-digest"]
    assert document["paths"]["/v1/desks/{deskId}/occupy"]["post"]["x-references-digest"]
    assert not any(path.startswith("/internal") for path in document["paths"])


class TestWrites:
    async def test_write_with_validated_references_is_taken(self, office: GatewayStandIn) -> None:
        one = desk()
        client = office.as_(one.person_id)
        body = {"cardId": one.card_id, "door": "12", "name": "n"}
        answer = await client.post("/v1/desks", json=body, references=attached(one).references)
        assert answer.status_code == 201
        assert answer.json()["color"] == "red"

    async def test_write_without_them_is_428(self, office: GatewayStandIn) -> None:
        one = desk()
        body = {"cardId": one.card_id, "door": "12", "name": "n"}
        person, _ = attached(one).references
        for references in ([], [person]):
            answer = await office.as_(one.person_id).post("/v1/desks", json=body, references=references)
            assert (answer.status_code, answer.json()["code"]) == (428, "references-not-validated")
        assert (await office.bare("POST", "/v1/desks", json=body)).status_code == 428

    async def test_unknown_parent_of_the_service_itself_is_422_at_its_field(self, office: GatewayStandIn) -> None:
        one = desk()
        body = {"cardId": one.card_id, "door": "99", "name": "n"}
        answer = await office.as_(one.person_id).post("/v1/desks", json=body, references=attached(one).references)
        assert (answer.status_code, answer.json()["code"]) == (422, "reference-not-found")
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/door"]

    async def test_closed_reference_is_409_with_its_name(self, office: GatewayStandIn) -> None:
        one = desk()
        closures = office.app.state.runtime.store.rows("reference_closures")
        await closures.insert({"_id": f"{CARD}|cards|{one.card_id}", "epoch": 1, "closed": True})
        body = {"cardId": one.card_id, "door": "12", "name": "n"}
        answer = await office.as_(one.person_id).post("/v1/desks", json=body, references=attached(one).references)
        assert (answer.status_code, answer.json()["code"]) == (409, "reference-closed")
        assert answer.json()["closed"] == [{"relationship": CARD, "parent": "cards", "id": one.card_id}]
