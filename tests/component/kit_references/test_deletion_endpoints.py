"""What the gateway asks of owners and of their children's services, over HTTP."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from gateway_stand_in import Client, GatewayStandIn
from mock_store import mock_client
from office import CARD, PERSON, Desk, attached, desk
from office_service import KEY, office_app
from people_service import PEOPLE_KEY, people_app, stored
from stub_platform import ALICE, Issuer

from kit.ids import new_id
from kit.references.deletes.cascading import BATCH_MAX
from kit.references.deletes.closing import CLOSURES_MAX
from kit.references.deletes.deletion_endpoints import BLOCKED_MAX
from kit.references.internal_routes import RELATIONSHIPS_MAX

pytestmark = pytest.mark.anyio

OWNER = "/internal/references/deletions/"
CHILD = "/internal/references/children/"
ATTEMPT = {"deletionId": "people.1", "epoch": 1}
BLOCK = {"relationship": CARD, "count": 1, "ids": []}
STEP = {"relationship": CARD, "service": "office", "onDelete": "RESTRICT"}
APPLY = {"relationship": PERSON, "parent": "people", "ids": ["p"], "onDelete": "CASCADE", "deletionId": "people.1"}
CLOSE = {"parent": "people", "relationships": [PERSON], "items": [{"id": "p", "epoch": 1}]}


@pytest.fixture
async def services(tmp_path: Path, anyio_backend: str) -> AsyncIterator[dict[str, GatewayStandIn]]:
    client = mock_client()
    async with AsyncExitStack() as stack:
        people = GatewayStandIn(people_app(tmp_path, client, Issuer()), "people", PEOPLE_KEY.encode())
        office = GatewayStandIn(office_app(tmp_path, client), "office", KEY.encode())
        yield {
            "people": await stack.enter_async_context(people),
            "office": await stack.enter_async_context(office),
        }


@pytest.fixture
def people(services: dict[str, GatewayStandIn]) -> Client:
    return services["people"].as_(ALICE)


@pytest.fixture
def office(services: dict[str, GatewayStandIn]) -> Client:
    return services["office"].as_(ALICE)


async def card(people: Client, **values: Any) -> str:
    card_id = new_id()
    await people.gateway.app.state.runtime.store.rows("cards").insert(stored(_id=card_id, personId=ALICE, **values))
    return card_id


async def desk_of(office: Client, **values: Any) -> Desk:
    one = desk(**values)
    references = office.gateway.app.state.runtime.references
    await office.gateway.app.state.runtime.store.rows("rooms").update_one(
        {"_id": "main-12"}, {"$set": stored(floor="main", door="12")}, upsert=True
    )
    await references.create(one, attached(one))
    return one


async def asked(client: Client, path: str, body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def test_nobody_but_the_gateway_is_answered(services: dict[str, GatewayStandIn]) -> None:
    for step in ("plan", "begin", "resume", "refuse", "purge", "finish", "report", "unfinished", "read"):
        assert (await services["people"].bare("POST", OWNER + step, json={})).status_code == 401
    for step in ("count", "close", "reopen", "apply", "look", "remove"):
        assert (await services["office"].bare("POST", CHILD + step, json={})).status_code == 401


async def test_owner_is_led_through_a_whole_delete(people: Client) -> None:
    card_id = await card(people)
    wanted = {"operationId": "deleteCard", "pathParameters": {"cardId": card_id}, "ifMatch": 1}
    assert (await asked(people, OWNER + "plan", wanted))["id"] == card_id
    begun = await asked(people, OWNER + "begin", wanted)
    assert (begun["state"], begun["epoch"], begun["requestedBy"]) == ("deleting", 1, ALICE)
    attempt = {"deletionId": begun["deletionId"], "epoch": 1}
    report = {**attempt, "step": "close", "waitingFor": [{"service": "office", "reason": "down"}], "progress": {}}
    await asked(people, OWNER + "report", report)
    (listed,) = (await asked(people, OWNER + "unfinished", {}))["items"]
    assert (listed["beat"], listed["waitingFor"]) == (1, [{"service": "office", "reason": "down"}])
    assert (await asked(people, OWNER + "purge", {**attempt, "plan": [STEP]}))["state"] == "purging"
    finished = await asked(people, OWNER + "finish", {**attempt, "progress": {"removed": 2}})
    assert (finished["state"], finished["progress"]) == ("done", {"removed": 2})
    said = await asked(people, OWNER + "read", {"deletionId": begun["deletionId"]})
    assert (said["state"], said["id"], said["waitingFor"]) == ("done", card_id, [])


async def test_owner_refuses_what_it_does_not_delete(people: Client) -> None:
    wanted = {"operationId": "deleteCard", "pathParameters": {"cardId": new_id()}}
    for step, body, status in [
        ("begin", wanted, 404),
        ("plan", {**wanted, "operationId": "createCard"}, 428),
        ("resume", {"deletionId": "people.1"}, 404),
        ("refuse", {**ATTEMPT, "blockedBy": []}, 404),
        ("purge", {**ATTEMPT, "plan": []}, 404),
        ("finish", {**ATTEMPT, "progress": {}}, 404),
        ("read", {"deletionId": "people.1"}, 404),
        ("begin", {**wanted, "pathParameters": {"cardId": await card(people)}, "ifMatch": 2}, 412),
    ]:
        assert (await people.post(OWNER + step, json=body)).status_code == status, step


async def test_direct_delete_is_sent_to_the_gateway(people: Client) -> None:
    answer = await people.delete(f"/v1/cards/{await card(people)}")
    assert (answer.status_code, answer.json()["code"]) == (428, "references-not-validated")


async def test_child_counts_closes_applies_and_removes(office: Client) -> None:
    one = await desk_of(office, person_id=ALICE)
    card_count = {"parent": "cards", "id": one.card_id, "relationships": [CARD]}
    counted = await asked(office, CHILD + "count", card_count)
    assert counted["blockedBy"] == [{"relationship": CARD, "count": 1, "ids": [one.id]}]
    assert counted["rules"] == [{"relationship": CARD, "onDelete": "RESTRICT"}]
    close = {**CLOSE, "items": [{"id": ALICE, "epoch": 1}], "count": True}
    closed = await asked(office, CHILD + "close", close)
    assert (closed["stale"], closed["blockedBy"]) == ([], [])
    applied = await asked(office, CHILD + "apply", {**APPLY, "ids": [ALICE]})
    assert (applied["child"], applied["forced"], applied["more"]) == ("desks", [{"id": one.id, "epoch": 1}], False)
    assert [known["relationship"] for known in applied["relationships"]] == ["tickets.deskId"]
    look = {"parent": "people", "ids": [ALICE], "relationships": [PERSON]}
    assert await asked(office, CHILD + "look", look) == {"left": [PERSON]}
    remove = {"entity": "desks", "items": applied["forced"]}
    assert await asked(office, CHILD + "remove", remove) == {"removed": 1}
    assert await asked(office, CHILD + "look", look) == {"left": []}


async def test_stale_closing_counts_nothing(office: Client) -> None:
    one = await desk_of(office)
    close = {"parent": "cards", "relationships": [CARD], "items": [{"id": one.card_id, "epoch": 3}], "count": True}
    assert len((await asked(office, CHILD + "close", close))["blockedBy"]) == 1
    await asked(office, CHILD + "reopen", {**close, "items": [{"id": one.card_id, "epoch": 4}]})
    stale = await asked(office, CHILD + "close", close)
    assert stale == {"stale": [f"{CARD}|cards|{one.card_id}"], "blockedBy": [], "rules": []}


async def test_relationship_of_another_version_is_named(office: Client) -> None:
    for step, body in [
        ("count", {"parent": "people", "id": "p", "relationships": ["desks.bossId"]}),
        ("close", {**CLOSE, "relationships": [PERSON, "desks.bossId"]}),
        ("look", {"parent": "people", "ids": ["p"], "relationships": ["desks.bossId"]}),
        ("apply", {**APPLY, "relationship": "desks.bossId"}),
        ("reopen", {**CLOSE, "parent": "cards"}),
    ]:
        answer = await office.post(CHILD + step, json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "relationship-unknown"), step
    assert (await asked(office, CHILD + "look", {"parent": "people", "ids": ["p"], "relationships": [PERSON]})) == {
        "left": []
    }


async def test_only_the_owner_removes(office: Client) -> None:
    assert (await office.post(CHILD + "remove", json={"entity": "people", "items": []})).status_code == 404


@pytest.mark.parametrize(
    ("step", "body", "pointer"),
    [
        ("plan", {"operationId": 1}, "/operationId"),
        ("plan", {"operationId": "deleteCard"}, "/pathParameters"),
        ("plan", {"operationId": "deleteCard", "pathParameters": {"cardId": 1}}, "/pathParameters/cardId"),
        ("begin", {"operationId": "deleteCard", "pathParameters": {"cardId": {"$ne": 1}}}, "/pathParameters/cardId"),
        ("begin", {"operationId": "deleteCard", "pathParameters": {"cardId": "c"}, "ifMatch": "1"}, "/ifMatch"),
        ("resume", {}, "/deletionId"),
        ("resume", {"deletionId": {"$ne": ""}}, "/deletionId"),
        ("refuse", {**ATTEMPT, "blockedBy": {}}, "/blockedBy"),
        ("refuse", {**ATTEMPT, "blockedBy": [{**BLOCK, "count": -1}]}, "/blockedBy/0/count"),
        ("refuse", {**ATTEMPT, "blockedBy": [BLOCK, {**BLOCK, "ids": ["a", 1]}]}, "/blockedBy/1/ids/1"),
        ("refuse", {**ATTEMPT, "blockedBy": [BLOCK] * (BLOCKED_MAX + 1)}, "/blockedBy"),
        ("refuse", {**ATTEMPT, "epoch": 2**63, "blockedBy": []}, "/epoch"),
        ("purge", {**ATTEMPT, "epoch": True, "plan": []}, "/epoch"),
        ("purge", {**ATTEMPT, "plan": [{**STEP, "onDelete": "DROP"}]}, "/plan/0/onDelete"),
        ("purge", {**ATTEMPT, "plan": [{**STEP, "service": None}]}, "/plan/0/service"),
        ("purge", {**ATTEMPT, "plan": [STEP] * (RELATIONSHIPS_MAX + 1)}, "/plan"),
        ("finish", {"deletionId": "people.1", "epoch": "1"}, "/epoch"),
        ("finish", {**ATTEMPT, "progress": {"removed": 1.5}}, "/progress/removed"),
        ("report", {**ATTEMPT, "step": "x", "waitingFor": [{"service": "s"}], "progress": {}}, "/waitingFor/0/reason"),
        ("report", {**ATTEMPT, "step": "x", "waitingFor": [], "progress": []}, "/progress"),
        ("read", {"deletionId": 1}, "/deletionId"),
        ("unfinished", [], ""),
    ],
)
async def test_owner_says_what_is_malformed(people: Client, step: str, body: Any, pointer: str) -> None:
    answer = await people.post(OWNER + step, json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("step", "body", "pointer"),
    [
        ("count", {"parent": "people", "relationships": [PERSON]}, "/id"),
        ("count", {"parent": "people", "relationships": [1], "id": "p"}, "/relationships/0"),
        ("count", {"parent": 1, "relationships": [], "id": "p"}, "/parent"),
        ("close", {**CLOSE, "items": [{"id": "p"}]}, "/items/0/epoch"),
        ("close", {**CLOSE, "items": [{"id": {"$gt": ""}, "epoch": 1}]}, "/items/0/id"),
        ("close", {**CLOSE, "items": ["p"]}, "/items/0"),
        ("close", {**CLOSE, "items": []}, "/items"),
        ("close", {**CLOSE, "items": [{"id": "p", "epoch": 1}] * (BATCH_MAX + 1)}, "/items"),
        (
            "close",
            {**CLOSE, "relationships": [PERSON] * 5, "items": [{"id": "p", "epoch": 1}] * (CLOSURES_MAX // 4)},
            "/items",
        ),
        ("close", {**CLOSE, "relationships": [PERSON] * (RELATIONSHIPS_MAX + 1)}, "/relationships"),
        ("reopen", {**CLOSE, "relationships": []}, "/items"),
        ("apply", {**APPLY, "onDelete": "DROP"}, "/onDelete"),
        ("apply", {**APPLY, "ids": ["p", None]}, "/ids/1"),
        ("apply", {**APPLY, "ids": ["p"] * (BATCH_MAX + 1)}, "/ids"),
        ("apply", {**APPLY, "deletionId": None}, "/deletionId"),
        ("look", {"parent": "people", "relationships": [PERSON], "ids": "p"}, "/ids"),
        ("remove", {"entity": "desks", "items": [{"id": "d", "epoch": None}]}, "/items/0/epoch"),
        ("remove", {"entity": ["desks"], "items": []}, "/entity"),
    ],
)
async def test_child_says_what_is_malformed(office: Client, step: str, body: Any, pointer: str) -> None:
    answer = await office.post(CHILD + step, json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
