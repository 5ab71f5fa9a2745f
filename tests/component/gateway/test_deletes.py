"""A client's DELETE over two real services: how it is answered, followed, joined, refused, and brought to its end."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from api import pointers, problem
from deleting_platform import DeletingPlatform, followed
from people_service import stored
from stub_platform import ADMIN, ALICE, BOB, UNKNOWN

from kit.references.deletes.cascading import BATCH_MAX

pytestmark = pytest.mark.anyio

ASYNC = {"Prefer": "respond-async, wait=10"}


class TestAnswer:
    async def test_all_that_cascades_is_gone_with_it(self, deleting: DeletingPlatform) -> None:
        await deleting.person()
        for _ in range(3):
            await deleting.badge()
            await deleting.desk()
        others = await deleting.desk(person_id=BOB)
        async with deleting.gateway() as alice:
            answer = await alice.delete(f"/v1/people/{ALICE}")
            assert (answer.status_code, answer.content) == (204, b"")
            problem(await alice.delete(f"/v1/people/{ALICE}"), 404, "not-found")
        assert [row["_id"] for row in await deleting.left(deleting.office, "desks")] == [others.id]
        for collection in ("people", "badges", "badge_uses"):
            assert await deleting.left(deleting.people, collection) == []

    async def test_more_than_a_batch_of_children_goes_with_theirs(self, deleting: DeletingPlatform) -> None:
        await deleting.person()
        one = await deleting.desk()
        (row,) = await deleting.left(deleting.office, "desks")
        ids = [f"{one.id[:-4]}{number:04}" for number in range(BATCH_MAX + 1)]
        desks = [{**row, "_id": desk_id, "name": desk_id} for desk_id in ids]
        await deleting.office.store.rows("desks").insert_many(desks)
        tickets = [stored(_id=f"t{desk_id}", deskId=desk_id, personId=BOB) for desk_id in ids]
        await deleting.office.store.rows("tickets").insert_many(tickets)
        async with deleting.gateway(delete_wait_s=20) as alice:
            assert (await alice.delete(f"/v1/people/{ALICE}")).status_code == 204
        for collection in ("desks", "tickets"):
            assert await deleting.left(deleting.office, collection) == []
        (kept,) = await deleting.left(deleting.people, "reference_deletions")
        assert kept["progress"] == {"removed": 2 * BATCH_MAX + 3, "setNull": 0}

    async def test_blocked_says_what_blocks_and_touches_nothing(self, deleting: DeletingPlatform) -> None:
        card = await deleting.card()
        mine, others = await deleting.desk(card_id=card), await deleting.desk(card_id=card, person_id=BOB)
        before = await deleting.left(deleting.people, "cards")
        async with deleting.gateway() as alice:
            document = problem(await alice.delete(f"/v1/cards/{card}"), 409, "delete-restricted")
            assert document["blockedBy"] == [{"relationship": "desks.cardId", "count": 2, "ids": [mine.id]}]
            seen = problem(await deleting.client(ADMIN, "admin").delete(f"/v1/cards/{card}"), 409, "delete-restricted")
        assert seen["blockedBy"][0]["ids"] == sorted([mine.id, others.id])
        assert await deleting.left(deleting.people, "cards") == before
        assert await deleting.left(deleting.people, "reference_deletions") == []
        assert await deleting.left(deleting.office, "reference_closures") == []

    async def test_refusals_of_its_service_are_passed_on(self, deleting: DeletingPlatform) -> None:
        await deleting.person(status="kept")
        card = await deleting.card()
        async with deleting.gateway() as alice:
            problem(await alice.delete(f"/v1/people/{ALICE}"), 403, "forbidden")
            problem(await deleting.client(BOB).delete(f"/v1/cards/{card}"), 404, "not-found")
            stale = await alice.delete(f"/v1/cards/{card}", headers={"If-Match": '"9"'})
            problem(stale, 412, "version-mismatch")
            assert (await alice.delete(f"/v1/cards/{card}", headers={"If-Match": '"1"'})).status_code == 204

    @pytest.mark.parametrize(
        ("query", "sent", "pointer"),
        [
            ("?force=true", {}, "/force"),
            ("", {"json": {"force": True}}, "/force"),
            ("", {"json": []}, ""),
            ("", {"headers": {"If-Match": "3"}}, "/If-Match"),
        ],
    )
    async def test_what_a_delete_does_not_take_is_refused_at_its_name(
        self, deleting: DeletingPlatform, query: str, sent: dict[str, Any], pointer: str
    ) -> None:
        """Somebody may have meant to force it."""
        card = await deleting.card()
        async with deleting.gateway() as alice:
            answer = await alice.request("DELETE", f"/v1/cards/{card}{query}", **sent)
            assert pointers(problem(answer, 422, "invalid-request")) == {pointer}
            assert len(await deleting.left(deleting.people, "cards")) == 1
            assert (await alice.request("DELETE", f"/v1/cards/{card}", json={})).status_code == 204

    async def test_what_changes_on_the_way_is_judged_again(self, deleting: DeletingPlatform) -> None:
        await deleting.person()
        rows = deleting.people.store.rows("people")
        async with deleting.gateway() as alice:
            held = deleting.faults.add("hold", "update_one", "people")
            asking = asyncio.create_task(alice.delete(f"/v1/people/{ALICE}"))
            await held.gate.reached.wait()
            await rows.update_one({"_id": ALICE}, {"$set": {"status": "kept"}})
            held.gate.open()
            problem(await asking, 403, "forbidden")
            await rows.update_one({"_id": ALICE}, {"$set": {"status": "idle"}})
            held = deleting.faults.add("hold", "update_one", "people")
            asking = asyncio.create_task(alice.delete(f"/v1/people/{ALICE}"))
            await held.gate.reached.wait()
            await rows.update_one({"_id": ALICE}, {"$set": {"status": "busy"}})
            held.gate.open()
            assert (await asking).status_code == 204

    async def test_owner_that_forgot_who_refers_to_it_is_told_before_it_deletes(
        self, deleting: DeletingPlatform
    ) -> None:
        """As after a restore of its database alone."""
        await deleting.person()
        await deleting.desk()
        registry = deleting.people.store.rows("reference_registry")
        async with deleting.gateway() as alice:
            assert (await alice.delete(f"/v1/cards/{await deleting.card()}")).status_code == 204
            await registry.delete_many({"service": "office"})
            assert (await alice.delete(f"/v1/people/{ALICE}")).status_code == 204
        assert await deleting.left(deleting.office, "desks") == []

    async def test_client_that_would_rather_follow_it_is_told_where(self, deleting: DeletingPlatform) -> None:
        await deleting.person()
        await deleting.desk()
        async with deleting.gateway() as alice:
            answer = await alice.delete(f"/v1/people/{ALICE}", headers=ASYNC)
            assert answer.headers["cache-control"] == "no-store"
            assert answer.json()["entity"] == "people"
            done = await followed(alice, answer, "done")
            assert (done["id"], done["progress"], done["waitingFor"]) == (ALICE, {"removed": 1, "setNull": 0}, [])
            where = answer.headers["location"]
            assert (await deleting.client(ADMIN, "admin").get(where)).json() == done
            problem(await deleting.client(BOB).get(where), 404, "not-found")
            problem(await alice.get(where, headers={"authorization": ""}), 401, "unauthenticated")


class TestServiceDown:
    async def test_cascade_waits_for_it_and_says_so(self, deleting: DeletingPlatform) -> None:
        await deleting.person()
        await deleting.desk()
        async with deleting.gateway(delete_wait_s=0.3) as alice:
            await deleting.office.down()
            answer = await alice.delete(f"/v1/people/{ALICE}")
            waits = await followed(alice, answer, "deleting", waiting=True)
            assert [one["service"] for one in waits["waitingFor"]] == ["office"]
            await deleting.office.up()
            await followed(alice, answer, "done")
        assert await deleting.left(deleting.office, "desks") == []

    async def test_deletes_that_do_not_need_it_go_on(self, deleting: DeletingPlatform) -> None:
        await deleting.person()
        await deleting.badge()
        registry = deleting.people.store.rows("reference_registry")
        async with deleting.gateway() as alice:
            wish = {"cardId": UNKNOWN, "door": "12", "name": "desk"}
            problem(await alice.post("/v1/desks", json=wish), 422, "reference-not-found")  # all is registered by now
            await deleting.office.down()
            await registry.update_many({"service": "office"}, {"$set": {"state": "removed"}})
            assert (await alice.delete(f"/v1/people/{ALICE}")).status_code == 204

    async def test_refused_once_it_is_back_and_blocks(self, deleting: DeletingPlatform) -> None:
        card = await deleting.card()
        one = await deleting.desk(card_id=card)
        async with deleting.gateway(delete_wait_s=0.3) as alice:
            await deleting.office.down()
            answer = await alice.delete(f"/v1/cards/{card}")
            await followed(alice, answer, "deleting")
            await deleting.office.up()
            refused = await followed(alice, answer, "refused")
        assert refused["blockedBy"] == [{"relationship": "desks.cardId", "count": 1, "ids": [one.id]}]
        (row,) = await deleting.left(deleting.people, "cards")
        assert row["_parent"] == {"state": "active", "epoch": 2}

    async def test_owner_that_is_down_is_unavailable_and_nothing_begins(self, deleting: DeletingPlatform) -> None:
        card = await deleting.card()
        async with deleting.gateway() as alice:
            await alice.get("/v1/deletions/people.1")  # the keys of tokens are read
            await deleting.people.down()
            problem(await alice.delete(f"/v1/cards/{card}"), 503, "unavailable")
            problem(await alice.get("/v1/deletions/people.1"), 503, "unavailable")
            await deleting.people.up()
            assert (await alice.delete(f"/v1/cards/{card}")).status_code == 204

    async def test_service_that_no_gateway_knows_is_named(self, deleting: DeletingPlatform) -> None:
        await deleting.person()
        await deleting.register("visits.personId", "people", "shop")
        async with deleting.gateway(delete_wait_s=0.2) as alice:
            answer = await alice.delete(f"/v1/people/{ALICE}")
            (waits,) = (await followed(alice, answer, "deleting", waiting=True))["waitingFor"]
            assert waits["service"] == "shop"
            assert "SERVICES" in waits["reason"]
            removed = {"$set": {"state": "removed"}}
            await deleting.people.store.rows("reference_registry").update_one({"service": "shop"}, removed)
            await followed(alice, answer, "done")


class TestTogether:
    async def test_second_delete_gets_the_same_answer(self, deleting: DeletingPlatform) -> None:
        await deleting.person()
        async with deleting.gateway() as alice:
            await deleting.office.down()
            first = await alice.delete(f"/v1/people/{ALICE}", headers=ASYNC)
            second = asyncio.create_task(deleting.client(ADMIN, "admin").delete(f"/v1/people/{ALICE}"))
            third = await alice.delete(f"/v1/people/{ALICE}", headers=ASYNC)
            assert third.headers["location"] == first.headers["location"]
            await deleting.office.up()
            assert (await second).status_code == 204
            await followed(alice, first, "done")

    async def test_ids_are_for_whoever_asked_first(self, deleting: DeletingPlatform) -> None:
        card = await deleting.card()
        mine = await deleting.desk(card_id=card)
        await deleting.desk(card_id=card, person_id=BOB)
        async with deleting.gateway() as alice:
            await deleting.office.down()
            first = await deleting.client(ADMIN, "admin").delete(f"/v1/cards/{card}", headers=ASYNC)
            second = asyncio.create_task(alice.delete(f"/v1/cards/{card}"))
            await asyncio.sleep(0.2)
            await deleting.office.up()
            document = problem(await second, 409, "delete-restricted")
            refused = await followed(deleting.client(ADMIN, "admin"), first, "refused")
            problem(await alice.get(first.headers["location"]), 404, "not-found")
        assert document["blockedBy"] == [{"relationship": "desks.cardId", "count": 2, "ids": []}]
        assert mine.id in refused["blockedBy"][0]["ids"]

    async def test_many_at_once_end_in_one(self, deleting: DeletingPlatform) -> None:
        await deleting.person()
        await deleting.desk()
        async with deleting.gateway() as alice:
            answers = await asyncio.gather(*(alice.delete(f"/v1/people/{ALICE}") for _ in range(8)))
        assert {answer.status_code for answer in answers} <= {204, 404}
        states = [row["state"] for row in await deleting.left(deleting.people, "reference_deletions")]
        assert states == ["done"]

    async def test_creates_behind_the_mark_are_refused_and_none_is_left(self, deleting: DeletingPlatform) -> None:
        await deleting.person()

        async def create() -> None:
            with suppress(Exception):
                await deleting.desk()

        async with deleting.gateway() as alice:
            creating = asyncio.gather(*(create() for _ in range(20)))
            assert (await alice.delete(f"/v1/people/{ALICE}")).status_code == 204
            await creating
        assert await deleting.left(deleting.office, "desks") == []


class TestSweeper:
    async def test_another_gateway_goes_on_after_the_coordinator_is_gone(
        self, deleting: DeletingPlatform, eventually: Any
    ) -> None:
        await deleting.person()
        await deleting.desk()
        async with deleting.gateway(delete_wait_s=0, delete_idle_s=60) as alice:
            await deleting.office.down()
            answer = await alice.delete(f"/v1/people/{ALICE}")
            assert answer.status_code == 202
        await deleting.office.up()
        async with deleting.gateway() as alice:
            await followed(alice, answer, "done")
            running = deleting.apps[-1].running
            assert running is not None
            await eventually(lambda: not running.deletion.sweeper._beats.known())  # what is done is forgotten
        assert await deleting.left(deleting.office, "desks") == []

    async def test_mark_that_was_lost_is_given_up(self, deleting: DeletingPlatform, eventually: Any) -> None:
        await deleting.person()
        async with deleting.gateway() as alice:
            deleting.faults.add("late", "update_one", "people")
            problem(await alice.delete(f"/v1/people/{ALICE}"), 503, "unavailable")

            async def ended() -> bool:
                kept = await deleting.left(deleting.people, "reference_deletions")
                return [row["state"] for row in kept] == ["abandoned"]

            await eventually(ended)
            await deleting.faults.deliver()
            (row,) = await deleting.left(deleting.people, "people")
            assert row["_parent"]["state"] == "active"
            assert (await alice.delete(f"/v1/people/{ALICE}")).status_code == 204
