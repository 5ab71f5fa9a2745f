"""Repairs through the gateway: only what is as it was reported, only after the owner confirmed, and never twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from api import pointers, problem
from audited_platform import AuditedPlatform
from audits import AUDITS, PERSON
from people_service import stored
from stub_platform import ADMIN, ALICE, UNKNOWN

from kit.ids import new_id
from kit.store import Store

pytestmark = pytest.mark.anyio

BADGE = "badges.personId"


@pytest.fixture
async def admin(two: AuditedPlatform) -> AsyncIterator[Any]:
    async with two.gateway() as client:
        yield client


@pytest.fixture
async def audit_id(admin: Any) -> str:
    """An audit that has found nothing: what is repaired is judged anew."""
    answer = await admin.post(AUDITS, json={"relationships": [BADGE]})
    found: str = answer.json()["auditId"]
    return found


async def repaired(admin: Any, audit_id: str, *items: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await admin.post(f"{AUDITS}/{audit_id}/repairs", json={"items": list(items)})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def badge(two: AuditedPlatform, person_id: str = UNKNOWN) -> dict[str, Any]:
    """A leaf with two parts, of nobody."""
    row = stored(_id=new_id(), personId=person_id)
    await two.people.store.rows("badges").insert(dict(row))
    for door in ("12", "13"):
        await two.people.store.rows("badge_uses").insert({"_id": new_id(), "badgeId": row["_id"], "door": door})
    return row


def item(row: dict[str, Any], action: str = "remove", **changes: Any) -> dict[str, Any]:
    said = {"relationship": BADGE, "childId": row["_id"], "parentId": row["personId"], "action": action}
    return {**said, **changes}


async def test_orphan_that_nobody_refers_to_is_removed_with_its_parts(
    two: AuditedPlatform, admin: Any, audit_id: str
) -> None:
    one = await badge(two)
    (done,) = await repaired(admin, audit_id, item(one))
    assert (done["result"], done["code"]) == ("removed", None)
    assert await two.people.store.rows("badges").count({}) == 0
    assert await two.people.store.rows("badge_uses").count({}) == 0
    (again,) = await repaired(admin, audit_id, item(one))
    assert again["result"] == "gone"


async def test_quarantined_orphan_is_kept_whole_with_its_parts(two: AuditedPlatform, admin: Any, audit_id: str) -> None:
    one = await badge(two)
    (done,) = await repaired(admin, audit_id, item(one, "quarantine"))
    assert done["result"] == "quarantined"
    assert await two.people.store.rows("badges").count({}) == 0
    kept = await two.people.store.rows("reference_quarantine").find({}, limit=10)
    (row,) = [found for found in kept if found["_id"] == f"{BADGE}|{one['_id']}"]
    assert row["row"] == one
    assert (row["by"], row["audit"]) == (ADMIN, audit_id)
    assert sorted(found["row"]["door"] for found in kept if found["collection"] == "badge_uses") == ["12", "13"]


async def test_child_whose_parent_is_there_is_left_alone(two: AuditedPlatform, admin: Any, audit_id: str) -> None:
    await two.people.store.rows("people").insert(stored(_id=ALICE, status="active"))
    one = await badge(two, ALICE)
    (done,) = await repaired(admin, audit_id, item(one))
    assert (done["result"], done["code"]) == ("not-repaired", "parent-exists")
    assert await two.people.store.rows("badges").count({}) == 1


async def test_child_that_was_changed_since_is_left_alone(two: AuditedPlatform, admin: Any, audit_id: str) -> None:
    one = await badge(two)
    await two.people.store.rows("badges").update_one({"_id": one["_id"]}, {"$set": {"personId": ADMIN}})
    intent = {"kind": "create", "token": "t", "refs": [f"{BADGE}|people|{UNKNOWN}"], "at": one["createdAt"]}
    pending = stored(_id=new_id(), personId=UNKNOWN, _token="t", _intent=intent)
    await two.people.store.rows("badges").insert(dict(pending))
    for done in await repaired(admin, audit_id, item(one), item(pending)):
        assert (done["result"], done["code"]) == ("not-repaired", "changed")
    assert await two.people.store.rows("badges").count({}) == 2


async def test_part_without_its_aggregate_is_removed(two: AuditedPlatform, admin: Any, audit_id: str) -> None:
    await two.people.store.rows("badge_uses").insert({"_id": "u1", "badgeId": UNKNOWN, "door": "1"})
    said = {"relationship": "badge_uses.badgeId", "childId": "u1", "parentId": UNKNOWN, "action": "remove"}
    assert [one["result"] for one in await repaired(admin, audit_id, said)] == ["removed"]
    assert await two.people.store.rows("badge_uses").count({}) == 0


async def test_orphan_that_others_may_refer_to_is_deleted_as_any_other(
    two: AuditedPlatform, admin: Any, audit_id: str, eventually: Callable[..., Any]
) -> None:
    office = two.office.store
    desk = stored(_id=new_id(), personId=UNKNOWN, cardId=UNKNOWN, color="red", floor="main", door="12", name="d")
    await office.rows("desks").insert(dict(desk))
    await office.rows("tickets").insert(stored(_id=new_id(), deskId=desk["_id"], personId=UNKNOWN))
    said = {"relationship": PERSON, "childId": desk["_id"], "parentId": UNKNOWN, "action": "quarantine"}
    (done,) = await repaired(admin, audit_id, said)
    assert done["result"] == "deleting"
    assert done["deletionId"].startswith("office.")

    async def gone() -> bool:
        return not await office.rows("desks").count({}) and not await office.rows("tickets").count({})

    await eventually(gone)
    kept = await office.rows("reference_quarantine").find_one({"_id": f"{PERSON}|{desk['_id']}"})
    assert kept is not None
    assert (await admin.get(f"/v1/deletions/{done['deletionId']}")).json()["state"] == "done"
    assert [one["result"] for one in await repaired(admin, audit_id, said)] == ["gone"]


async def test_owner_that_cannot_be_asked_confirms_nothing(two: AuditedPlatform, admin: Any, audit_id: str) -> None:
    desk = stored(_id=new_id(), personId=UNKNOWN, cardId=UNKNOWN, color="red", floor="main", door="12", name="d")
    await two.office.store.rows("desks").insert(dict(desk))
    async with two.gateway() as other:  # signed in before the service that tells the keys of tokens is down
        assert (await other.get(AUDITS)).status_code == 200
        await asyncio.sleep(0.1)
        await two.people.down()
        said = {"relationship": PERSON, "childId": desk["_id"], "parentId": UNKNOWN, "action": "remove"}
        audit = await other.post(AUDITS, json={"relationships": [PERSON]})
        (done,) = await repaired(other, audit.json()["auditId"], said)
    assert (done["result"], done["code"]) == ("not-repaired", "unreachable")
    assert await two.office.store.rows("desks").count({}) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/items"),
        ({"items": []}, "/items"),
        ({"items": [{}] * 201}, "/items"),
        ({"items": [1]}, "/items/0"),
        ({"items": [{"relationship": BADGE, "childId": "c", "parentId": "p"}]}, "/items/0/action"),
        (
            {"items": [{"relationship": BADGE, "childId": "c", "parentId": "p", "action": "drop"}]},
            "/items/0/action",
        ),
        ({"items": [{"relationship": BADGE, "parentId": "p", "action": "remove"}]}, "/items/0/childId"),
        ({"items": [{"relationship": BADGE, "childId": "c", "action": "remove"}]}, "/items/0/parentId"),
        (
            {"items": [{"relationship": "a.b", "childId": "c", "parentId": "p", "action": "remove"}]},
            "/items/0/relationship",
        ),
        (
            {"items": [{"relationship": BADGE, "childId": "c", "parentId": {"$ne": 1}, "action": "remove"}]},
            "/items/0/parentId",
        ),
        ({"items": [], "all": True}, "/all"),
    ],
)
async def test_bad_repair_is_refused_at_its_field(admin: Any, audit_id: str, body: Any, pointer: str) -> None:
    answer = await admin.post(f"{AUDITS}/{audit_id}/repairs", json=body)
    assert pointers(problem(answer, 422, "invalid-request")) == {pointer}


async def test_repair_of_an_unknown_audit_is_not_found(admin: Any) -> None:
    said = {"relationship": BADGE, "childId": "c", "parentId": "p", "action": "remove"}
    problem(await admin.post(f"{AUDITS}/{UNKNOWN}/repairs", json={"items": [said]}), 404, "not-found")


Copy = dict[str, list[dict[str, Any]]]
KEPT = ("people", "cards", "desks", "rooms", "reference_closures", "reference_registry", "reference_deletions")


async def copied(store: Store) -> Copy:
    return {name: await store.rows(name).find({}, limit=1_000) for name in KEPT}


async def restored(store: Store, copy: Copy) -> None:
    for name, rows in copy.items():
        await store.rows(name).delete_many({})
        if rows:
            await store.rows(name).insert_many([dict(one) for one in rows])


class TestRestore:
    """One database is brought back from a copy that is older than a delete."""

    async def test_closures_ahead_are_reported_and_raising_the_epoch_lets_creates_through(
        self, two: AuditedPlatform, admin: Any
    ) -> None:
        people = two.people.store
        card = stored(_id=new_id(), personId=ALICE, cardColor="red")
        await people.rows("people").insert(stored(_id=ALICE, status="active"))
        await people.rows("cards").insert(dict(card))
        backup = await copied(people)
        assert (await admin.delete(f"/v1/cards/{card['_id']}")).status_code == 204
        await restored(people, backup)
        async with two.client(ALICE) as alice:
            wish = {"cardId": card["_id"], "door": "12", "name": "desk"}
            problem(await alice.post("/v1/desks", json=wish), 409, "reference-closed")
            audit_id = (await admin.post(AUDITS, json={"relationships": ["desks.cardId"]})).json()["auditId"]
            audit = await self._ended(admin, audit_id)
            (report,) = audit["relationships"]
            assert [(one["key"], one["kind"]) for one in report["closures"]] == [
                (f"desks.cardId|cards|{card['_id']}", "ahead")
            ]
            said = {"relationship": "desks.cardId", "parentId": card["_id"], "action": "raise-epoch"}
            assert [one["result"] for one in await repaired(admin, audit_id, said)] == ["raised"]
            assert [one["result"] for one in await repaired(admin, audit_id, said)] == ["nothing-to-do"]
            assert (await alice.post("/v1/desks", json=wish)).status_code == 201
        problem(await admin.delete(f"/v1/cards/{card['_id']}"), 409, "delete-restricted")

    async def test_children_that_came_back_without_their_parents_are_found_and_removed(
        self, two: AuditedPlatform, admin: Any, eventually: Callable[..., Any]
    ) -> None:
        people, office = two.people.store, two.office.store
        card, desk = stored(_id=new_id(), personId=ALICE, cardColor="red"), {"floor": "main", "door": "12", "name": "d"}
        desk = stored(_id=new_id(), personId=ALICE, cardId=card["_id"], color="red", **desk)
        await people.rows("people").insert(stored(_id=ALICE, status="active"))
        await people.rows("cards").insert(dict(card))
        await office.rows("desks").insert(dict(desk))
        backup = await copied(office)
        await office.rows("desks").delete_one({"_id": desk["_id"]})
        assert (await admin.delete(f"/v1/cards/{card['_id']}")).status_code == 204
        await restored(office, backup)
        audit_id = (await admin.post(AUDITS, json={"relationships": ["desks.cardId"]})).json()["auditId"]
        (report,) = (await self._ended(admin, audit_id))["relationships"]
        assert report["orphans"] == [{"childId": desk["_id"], "parentId": card["_id"], "reason": "absent"}]
        said = {"relationship": "desks.cardId", "action": "remove", **report["orphans"][0]}
        del said["reason"]
        assert [one["result"] for one in await repaired(admin, audit_id, said)] == ["deleting"]

        async def gone() -> bool:
            return await office.rows("desks").find_one({"_id": desk["_id"]}) is None

        await eventually(gone)

    async def test_epoch_is_raised_only_for_a_parent_that_is_there_and_behind_a_closure(
        self, two: AuditedPlatform, admin: Any, audit_id: str
    ) -> None:
        people, closures = two.people.store, two.office.store.rows("reference_closures")
        ahead, absent, bare = new_id(), new_id(), new_id()
        await people.rows("people").insert(stored(_id=ahead, _parent={"state": "active", "epoch": 5}))
        await people.rows("people").insert(stored(_id=bare))
        for one in (ahead, absent):
            await closures.insert({"_id": f"{PERSON}|people|{one}", "closed": True, "epoch": 4})
        items = [{"relationship": PERSON, "parentId": one, "action": "raise-epoch"} for one in (ahead, absent, bare)]
        done = await repaired(admin, audit_id, *items)
        assert [one["code"] for one in done] == ["above", "no-parent", "no-closure"]
        assert [one["result"] for one in done] == ["nothing-to-do", "not-repaired", "not-repaired"]

    async def _ended(self, admin: Any, audit_id: str) -> dict[str, Any]:
        for _ in range(200):
            body: dict[str, Any] = (await admin.get(f"{AUDITS}/{audit_id}")).json()
            if body["state"] != "running":
                return body
            await asyncio.sleep(0.05)
        raise AssertionError("the audit did not end in time")
