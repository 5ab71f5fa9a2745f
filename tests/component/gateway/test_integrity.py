"""Audits through the gateway, over two real services: what they find, and what they say of what they could not read."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from api import pointers, problem
from audited_platform import AuditedPlatform
from audits import AUDITS, PERSON, begun, ended, of, planted
from people_service import stored
from stub_platform import ALICE, UNKNOWN

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(two: AuditedPlatform) -> AsyncIterator[Any]:
    async with two.gateway() as client:
        yield client


async def test_whole_platform_is_audited_and_found_whole(two: AuditedPlatform, admin: Any) -> None:
    await planted(two, 3)
    audit = await ended(admin, await begun(admin))
    assert (audit["state"], audit["orphanCount"], audit["isComplete"], audit["unreachable"]) == ("done", 0, True, [])
    assert of(audit, PERSON)["childrenRead"] == 3
    assert of(audit, "logs.sourceId", "cards")["childrenRead"] == 0
    assert {of(audit, "badge_uses.badgeId")["kind"], of(audit, PERSON)["kind"]} == {"part", "reference"}
    assert {one["service"] for one in audit["owners"]} == {"people", "office"}
    assert all(one["checkedAt"] for one in audit["relationships"])
    assert audit["finishedAt"] >= audit["startedAt"]


async def test_every_kind_of_finding_is_reported(two: AuditedPlatform, admin: Any) -> None:
    absent, foreign, whole = await planted(two, 3)
    people, office = two.people.store, two.office.store
    await people.rows("people").delete_one({"_id": absent["personId"]})
    await people.rows("cards").update_one({"_id": foreign["cardId"]}, {"$set": {"personId": UNKNOWN}})
    await people.rows("badge_uses").insert({"_id": "u1", "badgeId": UNKNOWN, "door": "12"})
    await people.rows("people").insert(
        stored(_id=UNKNOWN, _parent={"state": "deleting", "epoch": 1, "deletion": f"people.{UNKNOWN}"})
    )
    await people.rows("reference_registry").insert(
        {
            "_id": "visits.personId|people",
            "relationship": "visits.personId",
            "parent": "people",
            "service": "shop",
            "onDelete": "CASCADE",
            "state": "registered",
            "registeredAt": whole["createdAt"],
        }
    )
    for epoch, key in ((0, whole["personId"]), (5, foreign["personId"])):
        await office.rows("reference_closures").insert(
            {"_id": f"{PERSON}|people|{key}", "closed": True, "epoch": epoch, "at": whole["createdAt"]}
        )
    audit = await ended(admin, await begun(admin))
    assert of(audit, PERSON)["orphans"] == [
        {"childId": absent["_id"], "parentId": absent["personId"], "reason": "absent"}
    ]
    assert of(audit, "desks.cardId")["orphans"] == [
        {"childId": foreign["_id"], "parentId": foreign["cardId"], "reason": "mismatch"}
    ]
    assert of(audit, "badge_uses.badgeId")["orphanCount"] == 1
    assert audit["orphanCount"] == 3
    assert {one["kind"] for one in of(audit, PERSON)["closures"]} == {"barring", "ahead"}
    (owner,) = [one for one in audit["owners"] if one["service"] == "people"]
    assert [one["id"] for one in owner["stuck"]] == [UNKNOWN]
    assert [one["relationship"] for one in owner["undeclared"]] == ["visits.personId"]


async def test_audits_may_be_narrowed_to_relationships(two: AuditedPlatform, admin: Any) -> None:
    audit = await ended(admin, await begun(admin, {"relationships": [PERSON, "badge_uses.badgeId"]}))
    assert {one["relationship"] for one in audit["relationships"]} == {PERSON, "badge_uses.badgeId"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"relationships": [PERSON, "desks.chairId"]}, "/relationships/1"),
        ({"relationships": []}, "/relationships"),
        ({"relationships": "x"}, "/relationships"),
        ({"relationships": [1]}, "/relationships/0"),
        ({"relationship": []}, "/relationship"),
        ([], ""),
    ],
)
async def test_bad_audit_is_refused_at_its_field(admin: Any, body: Any, pointer: str) -> None:
    assert pointers(problem(await admin.post(AUDITS, json=body), 422, "invalid-request")) == {pointer}


async def test_name_that_the_query_does_not_take_begins_no_audit(admin: Any) -> None:
    answer = await admin.post(f"{AUDITS}?relationships={PERSON}", json={})
    assert pointers(problem(answer, 422, "invalid-request")) == {"/relationships"}
    assert (await admin.get(AUDITS)).json()["items"] == []


async def test_audits_are_for_admins(two: AuditedPlatform, admin: Any) -> None:
    async with two.client(ALICE) as alice:
        problem(await alice.post(AUDITS, json={}), 403, "forbidden")
        problem(await alice.get(AUDITS), 403, "forbidden")
        problem(await alice.post(f"{AUDITS}/{UNKNOWN}/repairs", json={"items": []}), 403, "forbidden")
        problem(await alice.get(AUDITS, headers={"authorization": ""}), 401, "unauthenticated")


async def test_unknown_audit_is_not_found(admin: Any) -> None:
    for audit_id in (UNKNOWN, "x"):
        problem(await admin.get(f"{AUDITS}/{audit_id}"), 404, "not-found")
    problem(await admin.delete(f"{AUDITS}/{UNKNOWN}"), 405, "method-not-allowed")


async def test_latest_audits_are_listed_newest_first(admin: Any) -> None:
    first = await begun(admin, {"relationships": [PERSON]})
    await ended(admin, first)
    second = await begun(admin)
    await ended(admin, second)
    listed = (await admin.get(AUDITS)).json()["items"]
    assert [one["auditId"] for one in listed] == [second, first]
    assert [one["auditId"] for one in (await admin.get(f"{AUDITS}?limit=1")).json()["items"]] == [second]
    for query in ("limit=0", "limit=x", "limit=51", "sort=a"):
        assert pointers(problem(await admin.get(f"{AUDITS}?{query}"), 422, "invalid-request")) <= {"/limit", "/sort"}


async def test_repeated_request_with_its_key_begins_one_audit(admin: Any) -> None:
    first = await begun(admin, **{"idempotency-key": "k1"})
    assert await begun(admin, **{"idempotency-key": "k1"}) == first
    assert await begun(admin, **{"idempotency-key": "k2"}) != first
    await ended(admin, first)
    other = await admin.post(AUDITS, json={"relationships": [PERSON]}, headers={"idempotency-key": "k1"})
    problem(other, 422, "idempotency-mismatch")


async def test_what_an_owner_that_is_down_has_to_say_is_reported_as_not_checked(
    two: AuditedPlatform, admin: Any
) -> None:
    await planted(two, 2)
    await two.people.down()
    audit = await ended(admin, await begun(admin))
    person = of(audit, PERSON)
    assert (person["isComplete"], person["childrenRead"], audit["isComplete"]) == (False, 0, False)
    assert "people cannot be asked" in person["reason"]
    assert of(audit, "desks.door")["isComplete"]
    assert [one["service"] for one in audit["unreachable"]] == ["people"]
    assert of(audit, "badges.personId")["isComplete"] is False


async def test_no_service_that_can_be_asked_is_503(two: AuditedPlatform, admin: Any) -> None:
    audit_id = await begun(admin)
    await ended(admin, audit_id)
    await two.people.down()
    await two.office.down()
    problem(await admin.post(AUDITS, json={}), 503, "unavailable")
    problem(await admin.get(f"{AUDITS}/{audit_id}"), 503, "unavailable")
    problem(await admin.get(AUDITS), 503, "unavailable")


async def test_every_gateway_shows_the_figures_of_the_last_audit(two: AuditedPlatform, admin: Any) -> None:
    (orphan,) = await planted(two)
    await two.people.store.rows("people").delete_one({"_id": orphan["personId"]})
    await ended(admin, await begun(admin))
    async with two.gateway() as other:
        for _ in range(100):
            text = (await other.get("/metrics")).text
            if "reference_orphans{" in text:
                break
            await asyncio.sleep(0.05)
    assert f'reference_orphans{{parent="people",relationship="{PERSON}"}} 1.0' in text
    assert f'reference_children_read{{parent="people",relationship="{PERSON}"}} 1.0' in text
    assert f'reference_audit_age_seconds{{parent="people",relationship="{PERSON}"}}' in text


async def registration(two: AuditedPlatform, relationship: str, parent: str) -> dict[str, Any] | None:
    return await two.people.store.rows("reference_registry").find_one({"_id": f"{relationship}|{parent}"})


async def test_relationship_is_validated_by_an_audit_that_found_it_whole(two: AuditedPlatform, admin: Any) -> None:
    (orphan,) = await planted(two)
    await two.people.store.rows("people").delete_one({"_id": orphan["personId"]})
    await ended(admin, await begun(admin))
    shown = {one["relationship"]: one for one in (await admin.get("/v1/references")).json()["references"]}
    assert [shown[one]["validated"] for one in (PERSON, "desks.cardId", "badges.personId")] == [False, True, True]


async def test_registration_anew_is_not_validated_by_an_older_audit(two: AuditedPlatform, admin: Any) -> None:
    validated = "/internal/references/audit/validated"
    running = two.apps[0].running
    assert running is not None
    await admin.get("/v1/references")  # owners are told of relationships before they are asked about them
    calls = running._calls["people"]
    body = {"relationship": PERSON, "parent": "people", "registeredAt": "2001-01-01T00:00:00.000Z"}
    assert (await calls.post(validated, body, timeout_s=5)).body == b'{"isValidated":false}'
    found = await registration(two, PERSON, "people")
    assert found is not None
    assert "validatedAt" not in found


async def test_operations_are_in_the_merged_document(admin: Any) -> None:
    document = (await admin.get("/openapi.json")).json()
    assert document["paths"][AUDITS]["post"]["operationId"] == "beginAudit"
    assert document["paths"][f"{AUDITS}/{{auditId}}/repairs"]["post"]["tags"] == ["integrity"]
    assert "integrity" in {one["name"] for one in document["tags"]}
    codes = document["paths"]["/v1/references/{relationship}"]["delete"]["responses"]["409"]["x-codes"]
    assert codes == ["relationship-needed", "restored-meanwhile", "service-in-use", "service-unknown"]
