"""What the gateway asks a service for an audit, over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gateway_stand_in import Client, GatewayStandIn
from mock_store import mock_client
from office import CARD, NOW, PERSON, attached, desk, room
from office_service import KEY, office_app

from kit.clock import FixedClock
from kit.references.audits.audit_records import KEPT_MAX

pytestmark = pytest.mark.anyio

PREFIX = "/internal/references/audit"
DOOR = {"relationship": "desks.door", "parent": "rooms"}
ORDER = {**DOOR, "childId": "c", "parentId": "p", "keeps": False, "auditId": "a", "by": "admin"}
REPORT = {"relationship": PERSON, "parent": "people", "orphanCount": 2, "childrenRead": 5, "isComplete": True}


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime.now(UTC))


@pytest.fixture
async def office(tmp_path: Path, anyio_backend: str, clock: FixedClock) -> AsyncIterator[GatewayStandIn]:
    async with GatewayStandIn(office_app(tmp_path, mock_client(), clock=clock), "office", KEY.encode()) as started:
        await started.app.state.runtime.references.create(room())
        yield started


@pytest.fixture
def gateway(office: GatewayStandIn) -> Client:
    return office.anonymous()


async def asked(gateway: Client, path: str, **body: Any) -> Any:
    answer = await gateway.post(f"{PREFIX}/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def head(audit_id: str) -> dict[str, Any]:
    planned = [{"relationship": PERSON, "parent": "people", "service": "office"}]
    return {
        "auditId": audit_id,
        "planned": planned,
        "services": ["office"],
        "unknown": [],
        "startedBy": "admin",
        "holder": "first",
    }


async def test_nobody_but_the_gateway_is_answered(office: GatewayStandIn) -> None:
    for path in ("children", "parents", "records/begin", "repair", "raise-epoch", "registered"):
        assert (await office.bare("POST", f"{PREFIX}/{path}", json={})).status_code == 401


async def test_children_come_in_pages_with_what_they_name(office: GatewayStandIn, gateway: Client) -> None:
    many = sorted([desk() for _ in range(3)], key=lambda one: one.id)
    for one in many:
        await office.app.state.runtime.references.create(one, attached(one))
    page = await asked(gateway, "children", relationship=CARD, parent="cards", after="", limit=2)
    assert page["children"] == [
        {"id": one.id, "names": [one.card_id], "match": {"personId": one.person_id}} for one in many[:2]
    ]
    rest = await asked(gateway, "children", relationship=CARD, parent="cards", after=page["last"], limit=2)
    assert ([one["id"] for one in rest["children"]], rest["last"]) == ([many[2].id], None)


async def test_owner_says_which_parents_are_there(gateway: Client) -> None:
    key = {"parent": "rooms", "key": ["floor", "door"], "fields": []}
    said = await asked(gateway, "parents", **key, names=[["main", "12"], ["main", "13"]])
    assert said == {"parents": [{"names": ["main", "12"], "values": {}, "state": "active", "epoch": 0}]}


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("children", {"relationship": "desks.chairId", "parent": "chairs", "after": "", "limit": 1}, "/relationship"),
        ("children", {**DOOR, "parent": "people", "after": "", "limit": 1}, "/relationship"),
        ("children", {**DOOR, "after": "", "limit": 1001}, "/limit"),
        ("children", {**DOOR, "after": None, "limit": 1}, "/after"),
        ("children/again", {**DOOR, "ids": [{"$ne": 1}]}, "/ids/0"),
        ("parents", {"parent": "people", "key": ["_id"], "fields": [], "names": []}, "/parent"),
        ("parents", {"parent": "desks", "key": ["name"], "fields": [], "names": []}, "/key"),
        ("parents", {"parent": "desks", "key": ["_id"], "fields": ["strategy"], "names": []}, "/fields"),
        ("parents", {"parent": "desks", "key": ["_id"], "fields": [], "names": [[{"$ne": 1}]]}, "/names/0"),
        ("parents", {"parent": "desks", "key": ["_id"], "fields": [], "names": [["a", "b"]]}, "/names/0"),
        ("parents", {"parent": "desks", "key": ["_id"], "fields": [], "names": [["a"]] * 1001}, "/names"),
        ("in-deletion", {"entity": "people", "after": "", "limit": 1}, "/entity"),
        ("open-deletions", {"ids": "x"}, "/ids"),
        ("records/begin", {**head("a"), "planned": [1]}, "/planned/0"),
        ("records/begin", {**head("a"), "asked": [1]}, "/asked/0"),
        ("records/beat", {"auditId": "a", "beat": -1, "holder": "h"}, "/beat"),
        ("records/save", {"auditId": "a", "report": {**REPORT, "orphanCount": "2"}}, "/report/orphanCount"),
        ("repair", {**DOOR, "childId": "c", "parentId": {"$ne": 1}, "keeps": False}, "/parentId"),
        ("repair", {**ORDER, "match": ["personId"]}, "/match"),
        ("raise-epoch", {"parent": "desks", "id": "d", "above": "1", "by": "a", "auditId": "a"}, "/above"),
    ],
)
async def test_malformed_question_is_refused_at_its_place(
    gateway: Client, path: str, body: dict[str, Any], pointer: str
) -> None:
    answer = await gateway.post(f"{PREFIX}/{path}", json=body)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_repair_is_only_of_the_values_that_were_judged(office: GatewayStandIn, gateway: Client) -> None:
    one = desk()
    await office.app.state.runtime.references.create(one, attached(one))
    said = {**ORDER, "relationship": CARD, "parent": "cards", "childId": one.id, "parentId": one.card_id}
    answer = await asked(gateway, "repair", **said, match={"personId": "somebody"})
    assert answer == {"result": "changed", "deletionId": None}
    answer = await asked(gateway, "repair", **said, match={"personId": one.person_id})
    assert answer["result"] == "deleting"


async def test_part_of_an_audit_is_kept_until_it_is_done(gateway: Client) -> None:
    assert await asked(gateway, "records/begin", **head("a")) == {"isNew": True}
    assert await asked(gateway, "records/begin", **head("a")) == {"isNew": False}
    await asked(gateway, "records/save", auditId="a", report={**REPORT, "orphanCount": 1})
    await asked(gateway, "records/save", auditId="a", report=REPORT)
    found = (await asked(gateway, "records/read", auditId="a"))["audit"]
    assert (found["state"], [one["orphanCount"] for one in found["reports"]]) == ("running", [2])
    assert found["asked"] is None, "a gateway of an older version does not say it"
    assert [one["auditId"] for one in (await asked(gateway, "records/running"))["audits"]] == ["a"]
    assert await asked(gateway, "records/finish", auditId="a", owner={"stuck": []}) == {"isDone": True}
    assert await asked(gateway, "records/finish", auditId="a", reason="again") == {"isDone": False}
    done = (await asked(gateway, "records/latest", limit=5))["audits"]
    assert [(one["auditId"], one["state"], one["orphanCount"]) for one in done] == [("a", "done", 2)]
    assert (await asked(gateway, "records/running"))["audits"] == []
    assert await asked(gateway, "records/read", auditId="b") == {"audit": None}


async def test_part_belongs_to_who_gave_the_last_sign_of_life(gateway: Client) -> None:
    await asked(gateway, "records/begin", **head("a"))
    beats = [(0, "first", True), (0, "first", True), (0, "second", False), (1, "second", True), (1, "first", False)]
    for beat, holder, held in beats:
        assert await asked(gateway, "records/beat", auditId="a", beat=beat, holder=holder) == {"isHeld": held}
    await asked(gateway, "records/finish", auditId="a")
    assert await asked(gateway, "records/beat", auditId="a", beat=2, holder="second") == {"isHeld": False}


async def test_last_audits_are_kept_and_older_ones_forgotten(gateway: Client, clock: FixedClock) -> None:
    for number in range(KEPT_MAX + 2):
        await asked(gateway, "records/begin", **head(f"a{number:03}"))
        await asked(gateway, "records/save", auditId=f"a{number:03}", report=REPORT)
        clock.advance(0.1)
    assert await asked(gateway, "records/read", auditId="a001") == {"audit": None}
    kept = (await asked(gateway, "records/latest", limit=100))["audits"]
    assert [one["auditId"] for one in kept] == [f"a{number:03}" for number in reversed(range(2, KEPT_MAX + 2))]
    answer = await gateway.post(f"{PREFIX}/records/save", json={"auditId": "a001", "report": REPORT})
    assert answer.status_code == 404


async def test_figures_are_those_of_the_last_whole_audit_with_their_age(gateway: Client, clock: FixedClock) -> None:
    for audit_id, report in (("a", REPORT), ("b", {**REPORT, "orphanCount": 0, "isComplete": False})):
        await asked(gateway, "records/begin", **head(audit_id))
        await asked(gateway, "records/save", auditId=audit_id, report=report)
        clock.advance(5)
    (figure,) = (await asked(gateway, "records/running"))["figures"]
    assert figure == {"relationship": PERSON, "parent": "people", "orphanCount": 2, "childrenRead": 5, "ageS": 10.0}


async def test_closures_and_intents_come_with_their_age(
    office: GatewayStandIn, gateway: Client, clock: FixedClock
) -> None:
    store = office.app.state.runtime.store
    at = clock.now() - timedelta(seconds=30)
    await store.rows("reference_closures").insert({"_id": f"{PERSON}|people|p", "closed": True, "epoch": 2, "at": at})
    await store.rows("reference_closures").insert({"_id": f"{PERSON}|*", "closed": False, "epoch": 0})
    intent = {"kind": "create", "token": "t", "refs": [f"{PERSON}|people|p"], "at": at}
    await store.rows("desks").insert({"_id": "d", "personId": "p", "createdAt": NOW, "_token": "t", "_intent": intent})
    named = {"relationship": PERSON, "parent": "people"}
    assert await asked(gateway, "closures", **named, after="", limit=10) == {
        "closures": [{"id": "p", "epoch": 2, "closed": True, "ageS": 30.0}],
        "last": None,
    }
    assert await asked(gateway, "intents", **named) == {"intents": [{"id": "d", "kind": "create", "ageS": 30.0}]}
    assert await asked(gateway, "closure", **named, parentId="p") == {"epoch": 2}
    assert await asked(gateway, "closure", **named, parentId="q") == {"epoch": None}
