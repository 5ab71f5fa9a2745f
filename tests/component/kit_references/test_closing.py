"""The child's half before the point of no return: what is closed, voided and counted, and what is opened again."""

import asyncio
from typing import Any

import pytest
from mock_store import Faults
from office import CARD, NOW, PERSON, Desk, Office, attached, desk

from kit.identity import ADMIN, Caller
from kit.ids import new_id
from kit.problems import ReferenceClosed
from kit.references.deletes.closing import Closing
from kit.references.deletes.naming import RelationshipUnknown
from kit.store import StoreUnavailable

pytestmark = pytest.mark.anyio

NOBODY = Caller(None)
BOSS = Caller("boss", frozenset({ADMIN}))


def closing(office: Office, parent_id: str, epoch: int = 1, relationship: str = PERSON) -> Closing:
    parent = {PERSON: "people", CARD: "cards", "desks.lampId": "lamps"}[relationship]
    return Closing(office.references.namings.find(relationship, parent), parent_id, epoch)


async def close(office: Office, parent_id: str, epoch: int = 1, relationship: str = PERSON) -> list[str]:
    return await office.references.closer.close([closing(office, parent_id, epoch, relationship)])


async def stored(office: Office, **values: Any) -> Desk:
    one = desk(**values)
    await office.references.create(one, attached(one))
    return one


async def state_of(office: Office, parent_id: str) -> tuple[bool, int]:
    row = await office.closure(PERSON, "people", parent_id)
    assert row is not None
    return row["closed"], row["epoch"]


class TestClose:
    async def test_no_child_comes_after_it(self, office: Office) -> None:
        one = desk()
        assert await close(office, one.person_id) == []
        with pytest.raises(ReferenceClosed):
            await office.references.create(one, attached(one))
        assert await office.row(one) is None
        assert await state_of(office, one.person_id) == (True, 1)

    async def test_create_under_way_is_voided_and_its_writer_learns_of_it(self, office: Office, faults: Faults) -> None:
        one = desk()
        commit = faults.add("hold", "update_many", "desks")
        creating = asyncio.create_task(office.references.create(one, attached(one)))
        await commit.gate.reached.wait()
        assert await close(office.again(), one.person_id) == []
        assert await office.row(one) is None
        commit.gate.open()
        with pytest.raises(ReferenceClosed):
            await creating
        assert await office.row(one) is None

    async def test_change_under_way_loses_its_slot_and_the_document_stays(self, office: Office, faults: Faults) -> None:
        one, person = await stored(office), new_id()
        commit = faults.add("hold", "bulk_write", "desks", skip=1)
        patch = {"cardId": new_id(), "personId": person}
        moved = attached(desk(person_id=person, card_id=patch["cardId"]))
        changing = asyncio.create_task(office.references.change(one, patch, attached=moved))
        await commit.gate.reached.wait()
        await close(office.again(), person)
        commit.gate.open()
        with pytest.raises(ReferenceClosed):
            await changing
        assert await office.store.collection(Desk).get(one.id) == one

    async def test_intents_to_others_are_left(self, office: Office) -> None:
        rows = office.store.rows("desks")
        mine, others = new_id(), new_id()
        for name, person in (("a", mine), ("b", others)):
            refs = [f"{CARD}|cards|c", f"{PERSON}|people|{person}"]
            intent = {"kind": "create", "token": name, "refs": refs, "at": NOW}
            await rows.insert({"_id": name, "name": name, "_token": name, "_intent": intent})
        await close(office, mine)
        assert [row["_id"] for row in await office.intents()] == ["b"]

    async def test_the_same_again_voids_again(self, office: Office) -> None:
        person = new_id()
        await close(office, person)
        intent = {"kind": "create", "token": "a", "refs": [f"{PERSON}|people|{person}"], "at": NOW}
        await office.store.rows("desks").insert({"_id": "a", "_token": "a", "_intent": intent})
        assert await close(office, person) == []
        assert await office.intents() == []

    async def test_older_closure_is_replaced_and_a_newer_one_stops_the_stale(self, office: Office) -> None:
        person = new_id()
        await close(office, person, epoch=1)
        assert await close(office, person, epoch=3) == []
        assert await state_of(office, person) == (True, 3)
        key = f"{PERSON}|people|{person}"
        intent = {"kind": "create", "token": "a", "refs": [key], "at": NOW}
        await office.store.rows("desks").insert({"_id": "a", "_token": "a", "_intent": intent})
        assert await close(office, person, epoch=2) == [key]
        assert await state_of(office, person) == (True, 3)
        assert len(await office.intents()) == 1  # not the stale one's to void

    async def test_one_that_was_opened_at_the_same_epoch_is_newer(self, office: Office) -> None:
        person = new_id()
        await close(office, person, epoch=1)
        await office.references.closer.reopen([closing(office, person, 2)])
        assert await close(office, person, epoch=2) == [f"{PERSON}|people|{person}"]
        assert await state_of(office, person) == (False, 2)

    async def test_stale_ones_do_not_keep_the_others_open(self, office: Office) -> None:
        new, old = new_id(), new_id()
        await close(office, new, epoch=5)
        wanted = [closing(office, new, 1), closing(office, old, 1), closing(office, old, 1, CARD)]
        assert await office.references.closer.close(wanted) == [f"{PERSON}|people|{new}"]
        assert await state_of(office, old) == (True, 1)
        assert await office.closure(CARD, "cards", old) is not None

    async def test_two_coordinators_close_at_once(self, office: Office) -> None:
        person = new_id()
        both = await asyncio.gather(close(office, person), close(office.again(), person))
        assert list(both) == [[], []]
        assert await state_of(office, person) == (True, 1)

    @pytest.mark.parametrize("kind", ["refuse", "lose", "late"])
    @pytest.mark.parametrize("skip", range(6))
    async def test_any_operation_may_fail_and_is_done_again(
        self, office: Office, faults: Faults, kind: str, skip: int
    ) -> None:
        person = new_id()
        for name in ("a", "b"):
            intent = {"kind": "create", "token": name, "refs": [f"{PERSON}|people|{person}"], "at": NOW}
            await office.store.rows("desks").insert({"_id": name, "name": name, "_token": name, "_intent": intent})
        faults.add(kind, skip=skip)
        for _ in range(3):
            try:
                assert await close(office, person) == []
                break
            except StoreUnavailable:
                continue
        faults.rules.clear()
        await faults.deliver()
        assert await state_of(office, person) == (True, 1)
        assert await office.intents() == []

    async def test_fenced_even_where_all_is_closed_already(self, office: Office, faults: Faults) -> None:
        person = new_id()
        await close(office, person)
        faults.calls.clear()
        await close(office, person)
        fenced = [call for call in faults.calls if call[1] == "store_fences"]
        assert bool(fenced) == office.client.is_causal
        assert not fenced or faults.calls[0] == fenced[0]


class TestReopen:
    async def test_only_what_the_refused_delete_closed(self, office: Office) -> None:
        person = new_id()
        await close(office, person, epoch=1)
        await office.references.closer.reopen([closing(office, person, 2)])
        assert await state_of(office, person) == (False, 2)
        one = desk(person_id=person)
        await office.references.create(one, attached(one))
        await close(office, person, epoch=3)
        await office.references.closer.reopen([closing(office, person, 2)])  # late
        assert await state_of(office, person) == (True, 3)

    async def test_whole_relationship_stays_closed(self, office: Office) -> None:
        await office.close_whole(PERSON)
        one = desk()
        await office.references.closer.reopen([closing(office, one.person_id, 9)])
        with pytest.raises(ReferenceClosed):
            await office.references.create(one, attached(one, epoch=9))


class TestCount:
    async def test_restrict_counts_documents_and_no_intents(self, office: Office) -> None:
        card = new_id()
        one = await stored(office, card_id=card)
        intent = {"kind": "create", "token": "a", "refs": [f"{CARD}|cards|{card}"], "at": NOW}
        await office.store.rows("desks").insert({"_id": "a", "cardId": card, "_token": "a", "_intent": intent})
        naming = office.references.namings.find(CARD, "cards")
        blocked = await office.references.closer.count(naming, card, BOSS)
        assert blocked is not None
        assert (blocked.count, blocked.ids) == (1, (one.id,))
        assert await office.references.closer.count(naming, new_id(), BOSS) is None

    async def test_cascade_blocks_only_where_its_condition_holds(self, office: Office) -> None:
        person = new_id()
        free = await stored(office, person_id=person, name="free")
        naming = office.references.namings.find(PERSON, "people")
        assert await office.references.closer.count(naming, person, BOSS) is None
        changed = await office.references.change(free, {"state": "busy"}, attached=attached(free))
        assert changed is not None
        blocked = await office.references.closer.count(naming, person, BOSS)
        assert blocked is not None
        assert blocked.ids == (free.id,)

    async def test_set_null_never_blocks(self, office: Office) -> None:
        lamp = new_id()
        await stored(office, lamp_id=lamp)
        naming = office.references.namings.find("desks.lampId", "lamps")
        assert await office.references.closer.count(naming, lamp, BOSS) is None

    async def test_ids_are_ten_that_the_caller_may_see(self, office: Office) -> None:
        card = new_id()
        mine = await stored(office, card_id=card)
        for number in range(11):
            await stored(office, card_id=card, name=f"others {number}")
        naming = office.references.namings.find(CARD, "cards")
        for caller, seen in ((Caller(mine.person_id), 1), (BOSS, 10), (NOBODY, 0), (Caller(new_id()), 0)):
            blocked = await office.references.closer.count(naming, card, caller)
            assert blocked is not None
            assert (blocked.count, len(blocked.ids)) == (12, seen)
            assert seen != 1 or blocked.ids == (mine.id,)

    async def test_many_are_counted_whole(self, office: Office) -> None:
        rows = [{"_id": f"d{number:03}", "cardId": "c", "personId": "p", "name": number} for number in range(231)]
        await office.store.rows("desks").insert_many(rows)
        naming = office.references.namings.find(CARD, "cards")
        blocked = await office.references.closer.count(naming, "c", NOBODY)
        assert blocked is not None
        assert blocked.count == 231


async def test_relationship_that_is_not_declared_here_is_named(office: Office) -> None:
    with pytest.raises(RelationshipUnknown, match=r"desks\.bossId to people"):
        office.references.namings.find("desks.bossId", "people")
    with pytest.raises(RelationshipUnknown):
        office.references.namings.find(PERSON, "cards")
