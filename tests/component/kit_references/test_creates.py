import asyncio

import pytest
from mock_store import Faults
from office import CARD, NOW, PERSON, ROOM_ID, Desk, Office, Room, attached, desk

from kit.context import ValidatedReference
from kit.ids import new_id
from kit.problems import ReferenceClosed, ReferenceNotFound, ReferencesNotValidated
from kit.references.attached import NOTHING_ATTACHED, Attached
from kit.store import DuplicateKey

pytestmark = pytest.mark.anyio


async def test_created_document_has_no_intent_and_keeps_its_token(office: Office) -> None:
    one = desk()
    assert await office.references.create(one, attached(one)) is one
    row = await office.row(one)
    assert row is not None
    assert "_intent" not in row
    assert row["_token"]
    assert await office.store.collection(Desk).get(one.id) == one


async def test_entity_with_a_natural_key_and_no_references_needs_no_intent(office: Office, faults: Faults) -> None:
    one = Room(id="r", floor="a", door="b", created_at=NOW, updated_at=NOW)
    await office.references.create(one)
    assert faults.calls == [("insert_one", "rooms")]
    with pytest.raises(DuplicateKey) as taken:
        await office.references.create(one.model_copy(update={"id": "s"}))
    assert taken.value.fields == ("floor", "door")


async def test_intent_of_a_create_is_seen_by_no_read_and_met_by_no_write(office: Office, faults: Faults) -> None:
    one, desks = desk(), office.store.collection(Desk)
    commit = faults.add("hold", "update_many", "desks")
    creating = asyncio.create_task(office.references.create(one, attached(one)))
    await commit.gate.reached.wait()
    (intent,) = await office.intents()
    assert intent["_intent"]["refs"] == [
        f"{PERSON}|people|{one.person_id}",
        f"{CARD}|cards|{one.card_id}",
        f"desks.door|rooms|{ROOM_ID}",
        f"desks._id|desks|{one.id}",
    ]
    assert await desks.get(one.id) is None
    assert await desks.find_one({"_id": one.id}) is None
    assert await desks.find({"personId": one.person_id}, limit=10) == []
    assert await desks.rows({}, fields=["name"], limit=10) == []
    assert [found async for found in desks.iterate({})] == []
    assert await desks.count({}) == 0
    assert not await desks.exists({"_id": one.id})
    assert not await desks.update({"_id": one.id}, {"$set": {"name": "x"}})
    assert await desks.update_and_get({"_id": one.id}, {"$set": {"name": "x"}}) is None
    assert not await desks.delete({"_id": one.id})
    commit.gate.open()
    await creating
    assert await desks.count({}) == 1


async def test_concurrent_creates_share_three_calls_per_batch(office: Office, faults: Faults) -> None:
    await office.references.create(*_with_attached(desk()))
    faults.calls.clear()
    many = [desk() for _ in range(30)]
    await asyncio.gather(*(office.references.create(one, attached(one)) for one in many))
    assert sorted(faults.calls) == [("find", "reference_closures"), ("insert_many", "desks"), ("update_many", "desks")]
    assert await office.store.collection(Desk).count({}) == 31


async def test_reference_that_was_not_validated_is_refused_before_anything_is_written(
    office: Office, faults: Faults
) -> None:
    one = desk()
    person, card = attached(one).references
    for some in (NOTHING_ATTACHED, Attached([person]), attached(desk())):
        with pytest.raises(ReferencesNotValidated):
            await office.references.create(one, some)
    other_color = ValidatedReference(CARD, "cards", card.id, 0, {"cardColor": "blue"})
    with pytest.raises(ReferencesNotValidated, match="not what the owner hands down"):
        await office.references.create(one, Attached([person, other_color]))
    other_person = ValidatedReference(CARD, "cards", card.id, 0, {"cardColor": "red", "personId": new_id()})
    with pytest.raises(ReferencesNotValidated, match="validated for another personId"):
        await office.references.create(one, Attached([person, other_person]))
    assert faults.count("insert_many", "desks") == 0


async def test_reference_of_the_same_service_is_validated_here(office: Office) -> None:
    one = desk(door="99")
    with pytest.raises(ReferenceNotFound) as refused:
        await office.references.create(one, attached(one))
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/door", "reference-not-found")]
    assert await office.row(one) is None


async def test_closed_reference_refuses_and_leaves_nothing(office: Office) -> None:
    one = desk()
    await office.close(PERSON, "people", one.person_id)
    with pytest.raises(ReferenceClosed) as refused:
        await office.references.create(one, attached(one))
    assert refused.value.extensions["closed"] == [{"relationship": PERSON, "parent": "people", "id": one.person_id}]
    assert await office.row(one) is None


async def test_closed_reference_drops_only_its_own(office: Office) -> None:
    many = [desk() for _ in range(6)]
    await office.close(CARD, "cards", many[2].card_id)
    results = await asyncio.gather(
        *(office.references.create(one, attached(one)) for one in many), return_exceptions=True
    )
    assert [type(result) for result in results] == [Desk, Desk, ReferenceClosed, Desk, Desk, Desk]


@pytest.mark.parametrize(("attached_epoch", "taken"), [(0, False), (1, False), (2, True)])
async def test_closure_is_reopened_by_a_newer_epoch_only(office: Office, attached_epoch: int, taken: bool) -> None:
    one = desk()
    await office.close(PERSON, "people", one.person_id, epoch=1)
    creating = office.references.create(one, attached(one, epoch=attached_epoch))
    if taken:
        await creating
        closure = await office.closure(PERSON, "people", one.person_id)
        assert closure is not None
        assert (closure["closed"], closure["epoch"]) == (False, 2)
    else:
        with pytest.raises(ReferenceClosed):
            await creating


async def test_whole_relationship_is_reopened_by_no_epoch(office: Office) -> None:
    one = desk()
    await office.close_whole(PERSON)
    with pytest.raises(ReferenceClosed) as refused:
        await office.references.create(one, attached(one, epoch=100))
    assert refused.value.extensions["closed"] == [{"relationship": PERSON, "parent": "", "id": "*"}]
    assert await office.row(one) is None


async def test_closure_of_the_services_own_parent_is_healed_by_asking_the_owner(office: Office) -> None:
    await office.close("desks.door", "rooms", ROOM_ID, epoch=1)
    one = desk()
    with pytest.raises(ReferenceClosed):
        await office.references.create(one, attached(one))
    await office.store.rows("rooms").update_one(
        {"_id": ROOM_ID}, {"$set": {"_parent": {"state": "active", "epoch": 2}}}
    )
    await office.references.create(one, attached(one))


async def test_closure_that_comes_between_intent_and_look_up_is_found(office: Office, faults: Faults) -> None:
    one = desk()
    inserted = faults.add("hold-answer", "insert_many", "desks")
    creating = asyncio.create_task(office.references.create(one, attached(one)))
    await inserted.gate.reached.wait()
    await office.close(PERSON, "people", one.person_id)
    inserted.gate.open()
    with pytest.raises(ReferenceClosed):
        await creating
    assert await office.row(one) is None


async def test_intent_that_is_voided_before_its_commit_does_not_become_a_document(
    office: Office, faults: Faults
) -> None:
    one = desk()
    commit = faults.add("hold", "update_many", "desks")
    creating = asyncio.create_task(office.references.create(one, attached(one)))
    await commit.gate.reached.wait()
    await office.close(PERSON, "people", one.person_id)
    assert await office.void(PERSON, "people", one.person_id) == 1
    commit.gate.open()
    with pytest.raises(ReferenceClosed):
        await creating
    assert await office.row(one) is None


async def test_intent_that_was_reaped_is_sent_again(office: Office, faults: Faults) -> None:
    one = desk()
    commit = faults.add("hold", "update_many", "desks")
    creating = asyncio.create_task(office.references.create(one, attached(one)))
    await commit.gate.reached.wait()
    (intent,) = await office.intents()
    await office.store.rows("desks").delete_one({"_id": one.id})
    commit.gate.open()
    await creating
    row = await office.row(one)
    assert row is not None
    assert row["_token"] != intent["_token"]


def _with_attached(one: Desk) -> tuple[Desk, Attached]:
    return one, attached(one)


class TestCancelledRequests:
    async def test_request_that_is_cancelled_before_its_batch_is_sent_leaves(
        self, office: Office, faults: Faults
    ) -> None:
        first, second, third = desk(), desk(), desk()
        insert = faults.add("hold", "insert_many", "desks")
        tasks = [asyncio.create_task(office.references.create(first, attached(first)))]
        await insert.gate.reached.wait()
        tasks += [asyncio.create_task(office.references.create(one, attached(one))) for one in (second, third)]
        await _until_validated()
        tasks[1].cancel()
        insert.gate.open()
        await asyncio.gather(tasks[0], tasks[2])
        assert await office.row(second) is None

    async def test_request_that_is_cancelled_afterwards_is_brought_to_its_end(
        self, office: Office, faults: Faults
    ) -> None:
        one = desk()
        inserted = faults.add("hold-answer", "insert_many", "desks")
        creating = asyncio.create_task(office.references.create(one, attached(one)))
        await inserted.gate.reached.wait()
        creating.cancel()
        inserted.gate.open()
        for _ in range(200):
            if await office.store.collection(Desk).get(one.id):
                break
        row = await office.row(one)
        assert row is not None
        assert "_intent" not in row


async def _until_validated() -> None:
    for _ in range(100):
        await asyncio.sleep(0.001)
