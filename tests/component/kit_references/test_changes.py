import asyncio

import pytest
from mock_store import Faults
from office import CARD, PERSON, ROOM_ID, Desk, Office, attached, desk

from kit.context import ValidatedReference
from kit.ids import new_id
from kit.problems import NotFound, ReferenceClosed, ReferenceNotFound, ReferencesNotValidated, Unavailable
from kit.references.attached import Attached
from kit.store import DuplicateKey, UnguardedWrite

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stored(office: Office, faults: Faults) -> Desk:
    one = desk(strategy={"name": "s", "params": {"a": 1}})
    await office.references.create(one, attached(one))
    faults.calls.clear()
    return one


def card(card_id: str, *, epoch: int = 0) -> Attached:
    return Attached([ValidatedReference(CARD, "cards", card_id, epoch, {"cardColor": "red"})])


async def test_change_takes_effect_with_the_next_version_and_leaves_no_slot(office: Office, stored: Desk) -> None:
    office.clock.advance(60)
    changed = await office.references.change(
        stored, {"state": "busy", "strategy.params.b": 2}, unset=["strategy.name"], where={"state": "free"}
    )
    assert changed is not None
    assert (changed.state, changed.version, changed.updated_at) == ("busy", 2, office.clock.now())
    assert changed.strategy == {"params": {"a": 1, "b": 2}}
    assert await office.store.collection(Desk).get(stored.id) == changed
    row = await office.row(stored)
    assert row is not None
    assert "_intent" not in row


async def test_slot_holds_all_references_and_the_document_stays_as_it_was(
    office: Office, faults: Faults, stored: Desk
) -> None:
    commit = faults.add("hold", "bulk_write", "desks", skip=1)
    changing = asyncio.create_task(office.references.change(stored, {"state": "busy"}))
    await commit.gate.reached.wait()
    (row,) = await office.intents()
    assert row["_intent"]["kind"] == "change"
    assert row["_intent"]["version"] == 1
    assert row["_intent"]["refs"] == [
        f"{PERSON}|people|{stored.person_id}",
        f"{CARD}|cards|{stored.card_id}",
        f"desks.door|rooms|{ROOM_ID}",
    ]
    assert await office.store.collection(Desk).get(stored.id) == stored
    commit.gate.open()
    await changing


async def test_concurrent_changes_share_their_calls(office: Office, faults: Faults) -> None:
    many = [desk() for _ in range(10)]
    await asyncio.gather(*(office.references.create(one, attached(one)) for one in many))
    faults.calls.clear()
    changed = await asyncio.gather(*(office.references.change(one, {"state": "busy"}) for one in many))
    assert [one.state for one in changed if one] == ["busy"] * 10
    assert faults.count("bulk_write", "desks") == 2
    assert faults.count("find", "reference_closures") == 1


async def test_change_of_what_moved_on_is_none(office: Office, stored: Desk) -> None:
    desks = office.store.collection(Desk)
    await desks.update_and_get({"_id": stored.id, "version": 1}, {"$set": {"name": "x"}, "$inc": {"version": 1}})
    assert await office.references.change(stored, {"state": "busy"}) is None
    assert await office.references.change(desk(), {"state": "busy"}) is None


async def test_change_of_what_does_not_meet_its_condition_is_none(office: Office, stored: Desk) -> None:
    assert await office.references.change(stored, {"state": "busy"}, where={"state": "broken"}) is None
    assert await office.intents() == []


async def test_plain_update_between_slot_and_commit_wins(office: Office, faults: Faults, stored: Desk) -> None:
    commit = faults.add("hold", "bulk_write", "desks", skip=1)
    changing = asyncio.create_task(office.references.change(stored, {"state": "busy"}))
    await commit.gate.reached.wait()
    updated = await office.store.collection(Desk).update_and_get(
        {"_id": stored.id, "version": 1}, {"$set": {"name": "x"}, "$inc": {"version": 1}}
    )
    assert updated is not None
    commit.gate.open()
    assert await changing is None
    assert await office.store.collection(Desk).get(stored.id) == updated
    assert await office.intents() == []


async def test_plain_update_of_a_reference_is_refused(office: Office, stored: Desk) -> None:
    desks = office.store.collection(Desk)
    with pytest.raises(UnguardedWrite, match=r"\$set of desks\.personId, a reference"):
        await desks.update({"_id": stored.id}, {"$set": {"personId": new_id()}})
    with pytest.raises(UnguardedWrite, match=r"\$unset of desks\.lampId, a reference"):
        await desks.update_many({}, {"$unset": {"lampId": ""}})
    with pytest.raises(UnguardedWrite, match=r"create it by References\.create"):
        await desks.insert(desk())


class TestReferences:
    async def test_changed_reference_must_be_validated(self, office: Office, stored: Desk) -> None:
        new = new_id()
        with pytest.raises(ReferencesNotValidated):
            await office.references.change(stored, {"cardId": new})
        changed = await office.references.change(stored, {"cardId": new}, attached=card(new))
        assert changed is not None
        assert changed.card_id == new

    async def test_unchanged_reference_that_shares_a_match_is_validated_again(
        self, office: Office, stored: Desk
    ) -> None:
        person = ValidatedReference(PERSON, "people", new_id())
        with pytest.raises(ReferencesNotValidated, match=r"desks\.cardId"):
            await office.references.change(stored, {"personId": person.id}, attached=Attached([person]))

    async def test_reference_of_the_same_service_is_validated_here(self, office: Office, stored: Desk) -> None:
        with pytest.raises(ReferenceNotFound):
            await office.references.change(stored, {"door": "99"})

    async def test_reference_can_be_taken_away_and_given_back(self, office: Office, stored: Desk) -> None:
        lamp = ValidatedReference("desks.lampId", "lamps", new_id())
        lit = await office.references.change(stored, {"lampId": lamp.id}, attached=Attached([lamp]))
        assert lit is not None
        assert lit.lamp_id == lamp.id
        dark = await office.references.change(lit, {}, unset=["lampId"])
        assert dark is not None
        assert dark.lamp_id is None

    async def test_closed_new_parent_refuses(self, office: Office, stored: Desk) -> None:
        new = new_id()
        await office.close(CARD, "cards", new)
        with pytest.raises(ReferenceClosed) as refused:
            await office.references.change(stored, {"cardId": new}, attached=card(new))
        assert refused.value.extensions["closed"] == [{"relationship": CARD, "parent": "cards", "id": new}]
        assert await office.store.collection(Desk).get(stored.id) == stored
        assert await office.intents() == []

    async def test_closed_parent_that_stays_refuses_until_its_newer_epoch_is_attached(
        self, office: Office, stored: Desk
    ) -> None:
        """Starting a bot carries no reference of its own: the refusal names what the gateway has to validate."""
        await office.close(PERSON, "people", stored.person_id, epoch=3)
        with pytest.raises(ReferenceClosed) as refused:
            await office.references.change(stored, {"state": "busy"})
        (named,) = refused.value.extensions["closed"]
        validated = ValidatedReference(named["relationship"], named["parent"], named["id"], 4)
        assert await office.references.change(stored, {"state": "busy"}, attached=Attached([validated])) is not None

    async def test_parent_that_stays_may_come_with_its_epoch_alone(self, office: Office, stored: Desk) -> None:
        await office.close(CARD, "cards", stored.card_id, epoch=1)
        validated = ValidatedReference(CARD, "cards", stored.card_id, 2)
        assert await office.references.change(stored, {"state": "busy"}, attached=Attached([validated])) is not None

    async def test_slot_that_is_voided_does_not_take_effect(self, office: Office, faults: Faults, stored: Desk) -> None:
        commit = faults.add("hold", "bulk_write", "desks", skip=1)
        changing = asyncio.create_task(office.references.change(stored, {"state": "busy"}))
        await commit.gate.reached.wait()
        await office.close(PERSON, "people", stored.person_id)
        assert await office.void(PERSON, "people", stored.person_id) == 1
        commit.gate.open()
        with pytest.raises(ReferenceClosed):
            await changing
        assert await office.store.collection(Desk).get(stored.id) == stored


class TestDocumentsInDeletion:
    @pytest.mark.parametrize(("state", "refusal"), [("deleting", Unavailable), ("purging", NotFound)])
    async def test_no_change_begins(self, office: Office, stored: Desk, state: str, refusal: type[Exception]) -> None:
        await _mark(office, stored, state)
        with pytest.raises(refusal):
            await office.references.change(stored, {"state": "busy"})
        assert await office.intents() == []

    async def test_no_change_that_began_is_committed(self, office: Office, faults: Faults, stored: Desk) -> None:
        commit = faults.add("hold", "bulk_write", "desks", skip=1)
        changing = asyncio.create_task(office.references.change(stored, {"state": "busy"}))
        await commit.gate.reached.wait()
        await _mark(office, stored, "purging")
        commit.gate.open()
        with pytest.raises(NotFound):
            await changing
        assert await office.store.collection(Desk).get(stored.id) == stored

    async def test_refused_deletion_is_no_hindrance(self, office: Office, stored: Desk) -> None:
        await _mark(office, stored, "active")
        assert await office.references.change(stored, {"state": "busy"}) is not None


class TestSlotsOfOthers:
    async def test_slot_of_somebody_who_is_gone_is_helped_to_its_end(self, office: Office, stored: Desk) -> None:
        await _leave_slot(office, stored, {"state": "busy"})
        assert await office.references.change(stored, {"name": "x"}) is None
        row = await office.store.collection(Desk).get(stored.id)
        assert row is not None
        assert (row.state, row.version) == ("busy", 2)

    async def test_slot_whose_parent_is_closed_is_cleared(self, office: Office, stored: Desk) -> None:
        new = new_id()
        await _leave_slot(office, stored, {"cardId": new}, card(new))
        await office.close(CARD, "cards", new)
        changed = await office.references.change(stored, {"state": "busy"})
        assert changed is not None
        assert (changed.card_id, changed.state) == (stored.card_id, "busy")

    async def test_slot_that_was_overtaken_is_cleared(self, office: Office, stored: Desk) -> None:
        await _leave_slot(office, stored, {"state": "busy"})
        updated = await office.store.collection(Desk).update_and_get(
            {"_id": stored.id, "version": 1}, {"$set": {"name": "x"}, "$inc": {"version": 1}}
        )
        assert updated is not None
        changed = await office.references.change(updated, {"state": "busy"})
        assert changed is not None
        assert (changed.version, changed.name, changed.state) == (3, "x", "busy")

    async def test_of_two_at_once_one_is_none(self, office: Office, stored: Desk) -> None:
        other = office.again()
        results = await asyncio.gather(
            office.references.change(stored, {"state": "busy"}), other.references.change(stored, {"state": "broken"})
        )
        assert sorted(result is None for result in results) == [False, True]
        row = await office.store.collection(Desk).get(stored.id)
        assert row in results

    async def test_rename_to_a_taken_name_is_refused_and_leaves_no_slot(self, office: Office, stored: Desk) -> None:
        other = desk(person_id=stored.person_id, name="taken")
        await office.references.create(other, attached(other))
        with pytest.raises(DuplicateKey) as taken:
            await office.references.change(stored, {"name": "taken", "state": "busy"})
        assert taken.value.fields == ("personId", "name")
        assert await office.store.collection(Desk).get(stored.id) == stored
        assert await office.intents() == []


async def _mark(office: Office, one: Desk, state: str) -> None:
    """What a delete of the desk itself writes."""
    await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"_parent": {"state": state, "epoch": 1}}})


async def _leave_slot(office: Office, one: Desk, patch: dict[str, str], given: Attached | None = None) -> None:
    """The slot of a change whose maker died before its commit."""
    commit = office.faults.add("refuse", "bulk_write", "desks", skip=1, times=99)
    clearing = office.faults.add("refuse", "update_one", "desks", times=99)
    with pytest.raises(Unavailable):
        await office.references.change(one, patch, attached=given or Attached())
    commit.times = clearing.times = 0
    assert len(await office.intents()) == 1
