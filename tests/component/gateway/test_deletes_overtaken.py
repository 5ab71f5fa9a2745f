"""Deletes that another delete has come before: it takes the document along, leaves it behind, or is refused itself."""

import asyncio
from typing import Any

import pytest
from api import problem
from deleting_platform import DeletingPlatform, followed
from stub_deletes import DELETION, OWNER, StubDeletes
from stub_platform import ADMIN, ALICE, BOB
from stub_services import Json

pytestmark = pytest.mark.anyio

PATH = f"/v1/users/{ALICE}"
OTHER = "bots.0007"
BLOCK = {"relationship": "trading_bots.userId", "count": 1, "ids": ["b1"]}
GONE = (404, {"status": 404, "code": "not-found", "title": "t"})


@pytest.fixture
async def alice(platform: Any, deletes: StubDeletes) -> Any:
    async with platform.gateway() as client:
        yield client


def overtaken(deletes: StubDeletes) -> tuple[int, Json]:
    """Alice is being deleted with somebody above her."""
    said = deletes.standing(state="overtaken", deletionId="", other=OTHER, relationships=[], requestedBy=None)
    return 200, said


def other_is_done(platform: Any, deletes: StubDeletes) -> None:
    """After it was followed for one step."""
    other = deletes.standing(state="purging", deletionId=OTHER, relationships=[])
    platform.bots.answers["POST", OWNER + "resume"] = deletes._handler("other")
    platform.bots.answers["POST", OWNER + "finish"] = deletes._handler("end")
    deletes.says("other", (200, other))
    deletes.says("end", (200, {**other, "state": "done"}))


async def test_delete_of_a_parent_is_followed_to_its_end(platform: Any, deletes: StubDeletes) -> None:
    other_is_done(platform, deletes)
    deletes.says("begin", overtaken(deletes))
    known = (200, deletes._plan({}))  # asked for twice, since it lacks relationships that the stubs declare
    deletes.says("plan", known, known, GONE)
    async with platform.gateway() as client:
        assert (await client.delete(PATH)).status_code == 204
    assert len(deletes.asked("begin")) == 1


async def test_document_that_was_left_behind_gets_a_delete_of_its_own(platform: Any, deletes: StubDeletes) -> None:
    """Its relationship to the parent was removed meanwhile."""
    other_is_done(platform, deletes)
    deletes.says("begin", overtaken(deletes), (200, lambda seen: deletes._begin(seen.json)))
    async with platform.gateway() as client:
        assert (await client.delete(PATH)).status_code == 204
    assert len(deletes.asked("begin")) == 2
    assert {body["deletionId"] for body in deletes.asked("finish")} == {DELETION}


async def test_document_that_is_left_behind_all_the_time_is_given_up(platform: Any, deletes: StubDeletes) -> None:
    other_is_done(platform, deletes)
    deletes.says("begin", overtaken(deletes))
    async with platform.gateway() as client:
        problem(await client.delete(PATH), 503, "unavailable")
    assert 1 < len(deletes.asked("begin")) < 10


async def test_refusal_of_what_overtook_it_is_its_own_without_the_ids(platform: Any, deletes: StubDeletes) -> None:
    """As owners of an older version speak of two deletes of the same document."""
    deletes.says("begin", overtaken(deletes))
    platform.bots.answers["POST", OWNER + "resume"] = deletes._handler("other")
    deletes.says(
        "other", (200, deletes.standing(state="refused", deletionId=OTHER, blockedBy=[BLOCK], requestedBy=BOB))
    )
    async with platform.gateway() as client:
        document = problem(await client.delete(PATH), 409, "delete-restricted")
    assert document["blockedBy"] == [{**BLOCK, "ids": []}]


async def test_one_that_can_not_be_followed_is_named(alice: Any, deletes: StubDeletes) -> None:
    deletes.says("begin", overtaken(deletes))
    answer = await alice.delete(PATH)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/deletions/{OTHER}"
    assert answer.json() == {"deletionId": OTHER, "entity": "users", "id": ALICE}


async def test_refusal_meanwhile_is_answered_as_one(alice: Any, deletes: StubDeletes) -> None:
    refused = deletes.standing(state="refused", blockedBy=[BLOCK], requestedBy=BOB)
    deletes.says("begin", (200, refused))
    document = problem(await alice.delete(PATH), 409, "delete-restricted")
    assert document["blockedBy"] == [{**BLOCK, "ids": []}]


async def test_document_that_changes_all_the_time_is_given_up(alice: Any, deletes: StubDeletes) -> None:
    deletes.says("begin", (200, deletes.standing(state="changed", deletionId="")))
    problem(await alice.delete(PATH), 503, "unavailable")
    assert 1 < len(deletes.asked("begin")) < 10


class TestSameDocument:
    """Over two real services."""

    async def test_refused_one_is_told_so_although_the_next_has_marked_it(self, deleting: DeletingPlatform) -> None:
        card, cards = await deleting.card(), deleting.people.store.rows("cards")
        async with deleting.gateway() as alice:
            assert (await alice.delete(f"/v1/cards/{await deleting.card()}")).status_code == 204
            marking = deleting.faults.add("hold", "update_one", "cards")
            asking = asyncio.create_task(alice.delete(f"/v1/cards/{card}"))
            await marking.gate.reached.wait()
            mine = await deleting.desk(card_id=card)
            refusing = deleting.faults.add("hold-answer", "update_one", "cards")
            marking.gate.open()
            await refusing.gate.reached.wait()
            await deleting.office.store.rows("desks").delete_many({"_id": mine.id})
            purging = deleting.faults.add("hold", "update_one", "cards", skip=1)
            admin = deleting.client(ADMIN, "admin")
            second = await admin.delete(f"/v1/cards/{card}", headers={"Prefer": "respond-async"})
            await purging.gate.reached.wait()
            row = await cards.find_one({"_id": card})
            assert row is not None
            assert (row["_parent"]["state"], row["_parent"]["epoch"]) == ("deleting", 3)
            refusing.gate.open()
            document = problem(await asking, 409, "delete-restricted")
            assert document["blockedBy"] == [{"relationship": "desks.cardId", "count": 1, "ids": [mine.id]}]
            purging.gate.open()
            await followed(admin, second, "done")

    async def test_one_in_a_purge_is_joined_and_not_counted(self, deleting: DeletingPlatform) -> None:
        """What still refers to it goes in its turn: nobody is told to remove it, nor that nothing was changed."""
        card = await deleting.card()
        left = await deleting.desk(card_id=card)
        forced = {"state": "purging", "epoch": 1, "deletion": "people.elsewhere"}
        await deleting.people.store.rows("cards").update_one({"_id": card}, {"$set": {"_parent": forced}})
        async with deleting.gateway(delete_wait_s=0.3) as alice:
            answer = await alice.delete(f"/v1/cards/{card}")
            await followed(alice, answer, "purging", waiting=True)
            await deleting.office.store.rows("desks").delete_many({"_id": left.id})
            await followed(alice, answer, "done")
