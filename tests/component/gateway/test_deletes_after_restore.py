"""Deletes that meet what a restore or a hand in the database left: they say for what they wait, and end."""

import httpx
import pytest
from api import problem
from audits import AUDITS, ended
from bson import ObjectId
from deleting_platform import DeletingPlatform, followed
from people_service import stored
from stub_platform import ADMIN, ALICE

pytestmark = pytest.mark.anyio

CARD = "desks.cardId"
NEWER = 3


async def ahead(deleting: DeletingPlatform, key: str) -> None:
    """The child's service knows of a later attempt than the owner, which was restored."""
    closure = {"_id": key, "closed": True, "epoch": NEWER, "at": deleting.now()}
    await deleting.office.store.rows("reference_closures").insert(closure)


async def waiting(deleting: DeletingPlatform, alice: httpx.AsyncClient, card: str) -> httpx.Response:
    await ahead(deleting, f"{CARD}|cards|{card}")
    answer = await alice.delete(f"/v1/cards/{card}")
    said = await followed(alice, answer, "deleting", waiting=True)
    assert "have the epoch raised" in said["waitingFor"][0]["reason"], said
    return answer


async def raised(deleting: DeletingPlatform, relationship: str, parent_id: str) -> None:
    async with deleting.client(ADMIN, "admin") as admin:
        begun = await admin.post(AUDITS, json={"relationships": [relationship]})
        audit = await ended(admin, begun.json()["auditId"])
        (report,) = audit["relationships"]
        assert [one["kind"] for one in report["closures"]] == ["ahead"]
        item = {"relationship": relationship, "parentId": parent_id, "action": "raise-epoch"}
        done = await admin.post(f"{AUDITS}/{audit['auditId']}/repairs", json={"items": [item]})
        assert [one["result"] for one in done.json()["items"]] == ["raised"], done.text


async def test_delete_that_waits_for_its_epoch_to_be_raised_ends_when_it_is(deleting: DeletingPlatform) -> None:
    await deleting.person()
    card = await deleting.card()
    async with deleting.gateway(delete_wait_s=0.3, audit_recheck_s=0.1) as alice:
        answer = await waiting(deleting, alice, card)
        await raised(deleting, CARD, card)
        await followed(alice, answer, "done")
    assert await deleting.left(deleting.people, "cards") == []


async def test_delete_that_was_to_be_refused_is_refused_when_its_epoch_was_raised(deleting: DeletingPlatform) -> None:
    await deleting.person()
    card = await deleting.card()
    async with deleting.gateway(delete_wait_s=0.3, audit_recheck_s=0.1) as alice:
        answer = await waiting(deleting, alice, card)
        desk = stored(_id="desk", personId=ALICE, cardId=card, color="red", floor="main", door="12", name="by hand")
        await deleting.office.store.rows("desks").insert(desk)
        await raised(deleting, CARD, card)
        said = await followed(alice, answer, "refused")
    assert [(one["relationship"], one["count"]) for one in said["blockedBy"]] == [(CARD, 1)]
    (row,) = await deleting.left(deleting.people, "cards")
    assert row["_parent"]["state"] == "active"


async def test_purge_whose_forced_child_waits_goes_on_when_that_ones_epoch_was_raised(
    deleting: DeletingPlatform,
) -> None:
    await deleting.person()
    desk = await deleting.desk()
    await ahead(deleting, f"tickets.deskId|desks|{desk.id}")
    async with deleting.gateway(delete_wait_s=0.3, audit_recheck_s=0.1) as alice:
        answer = await alice.delete(f"/v1/people/{ALICE}")
        await followed(alice, answer, "purging", waiting=True)
        await raised(deleting, "tickets.deskId", desk.id)
        await followed(alice, answer, "done")
    assert await deleting.left(deleting.office, "desks") == []


async def test_row_without_a_text_id_blocks_and_is_named(deleting: DeletingPlatform) -> None:
    await deleting.person()
    card, by_hand = await deleting.card(), ObjectId()
    row = stored(_id=by_hand, personId=ALICE, cardId=card, name="by hand")
    await deleting.office.store.rows("desks").insert(row)
    async with deleting.gateway(), deleting.client(ADMIN, "admin") as admin:
        refused = problem(await admin.delete(f"/v1/cards/{card}"), 409, "delete-restricted")
        assert refused["blockedBy"] == [{"relationship": CARD, "count": 1, "ids": [str(by_hand)]}]
        begun = await admin.post(AUDITS, json={"relationships": [CARD]})
        audit = await ended(admin, begun.json()["auditId"])
        assert not audit["isComplete"]
        assert "desks has a row whose _id is no text" in audit["relationships"][0]["reason"]


async def test_cascade_waits_for_a_row_without_a_text_id_and_names_it(deleting: DeletingPlatform) -> None:
    await deleting.person()
    by_hand = ObjectId()
    desks = deleting.office.store.rows("desks")
    await desks.insert(stored(_id=by_hand, personId=ALICE, name="by hand"))
    async with deleting.gateway(delete_wait_s=0.3) as alice:
        answer = await alice.delete(f"/v1/people/{ALICE}")
        said = await followed(alice, answer, "purging", waiting=True)
        assert str(by_hand) in said["waitingFor"][0]["reason"]
        await desks.delete_one({"_id": by_hand})
        await followed(alice, answer, "done")
