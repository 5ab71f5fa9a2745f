"""Answers that are lost, and messages that arrive late, at each step of a create and of a change."""

import asyncio

import pytest
from mock_store import Faults
from office import PERSON, Desk, Office, attached, desk

from kit.problems import ReferenceClosed, Unavailable
from kit.store import DuplicateKey

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("operation", ["insert_many", "update_many"])
@pytest.mark.parametrize("kind", ["lose", "refuse"])
async def test_create_survives_one_lost_answer(office: Office, faults: Faults, operation: str, kind: str) -> None:
    many = [desk() for _ in range(4)]
    faults.add(kind, operation, "desks")
    await asyncio.gather(*(office.references.create(one, attached(one)) for one in many))
    assert await office.store.collection(Desk).count({}) == 4
    assert await office.intents() == []


async def test_create_whose_look_up_fails_is_503_and_leaves_nothing(office: Office, faults: Faults) -> None:
    one = desk()
    faults.add("refuse", "find", "reference_closures")
    with pytest.raises(Unavailable):
        await office.references.create(one, attached(one))
    assert await office.row(one) is None


async def test_insert_that_arrives_late_becomes_no_second_document(office: Office, faults: Faults) -> None:
    one = desk()
    faults.add("late", "insert_many", "desks")
    await office.references.create(one, attached(one))
    row = await office.row(one)
    await faults.deliver()
    assert await office.row(one) == row


async def test_insert_that_may_still_arrive_makes_a_refusal_uncertain(office: Office, faults: Faults) -> None:
    one = desk()
    faults.add("late", "insert_many", "desks")
    await office.close(PERSON, "people", one.person_id)
    with pytest.raises(Unavailable):
        await office.references.create(one, attached(one))
    await faults.deliver()
    assert await office.store.collection(Desk).get(one.id) is None
    assert len(await office.intents()) == 1
    await office.reap()
    assert await office.row(one) is None


async def test_taken_value_is_uncertain_too_while_an_insert_may_still_arrive(office: Office, faults: Faults) -> None:
    first = desk(name="n")
    second = desk(name="n", person_id=first.person_id)
    faults.add("late", "insert_many", "desks")
    insert = faults.add("hold", "insert_many", "desks")
    creating = asyncio.create_task(office.references.create(second, attached(second)))
    await insert.gate.reached.wait()
    await office.again().references.create(first, attached(first))
    insert.gate.open()
    with pytest.raises(Unavailable):
        await creating


async def test_insert_that_arrives_between_two_sendings_is_known_by_its_token(office: Office, faults: Faults) -> None:
    one = desk()
    faults.add("late", "insert_many", "desks")
    second = faults.add("hold", "insert_many", "desks")
    creating = asyncio.create_task(office.references.create(one, attached(one)))
    await second.gate.reached.wait()
    await faults.deliver()
    second.gate.open()
    await creating
    assert await office.store.collection(Desk).get(one.id) == one
    assert await office.intents() == []


async def test_commit_that_arrives_after_the_voiding_commits_nothing(office: Office, faults: Faults) -> None:
    one = desk()
    faults.add("late", "update_many", "desks")
    removal = faults.add("hold", "delete_one", "desks")
    creating = asyncio.create_task(office.references.create(one, attached(one)))
    await removal.gate.reached.wait()
    await office.close(PERSON, "people", one.person_id)
    assert await office.void(PERSON, "people", one.person_id) == 1
    removal.gate.open()
    with pytest.raises(ReferenceClosed):
        await creating
    await faults.deliver()
    assert await office.row(one) is None


async def test_insert_that_arrives_after_the_voiding_is_not_committed_by_the_commit_of_another_sending(
    office: Office, faults: Faults
) -> None:
    """The same id is sent twice: what is late of the first sending must not pass for the second."""
    one, neighbour = desk(), desk()
    faults.add("late", "insert_many", "desks")
    commit = faults.add("hold", "update_many", "desks")
    creating = asyncio.create_task(office.references.create(one, attached(one)))
    beside = asyncio.create_task(office.references.create(neighbour, attached(neighbour)))
    await commit.gate.reached.wait()
    await office.close(PERSON, "people", one.person_id)
    await office.void(PERSON, "people", one.person_id)
    await faults.deliver()
    commit.gate.open()
    with pytest.raises(Unavailable):
        await creating
    await beside
    assert await office.store.collection(Desk).get(one.id) is None
    assert await office.store.collection(Desk).get(neighbour.id) is not None


async def test_store_that_stays_away_is_503(office: Office, faults: Faults) -> None:
    one = desk()
    away = [faults.add("refuse", operation, "desks", times=99) for operation in ("find_one", "delete_one")]
    faults.add("lose", "insert_many", "desks")
    with pytest.raises(Unavailable):
        await office.references.create(one, attached(one))
    for fault in away:
        fault.times = 0
    await office.reap()
    assert await office.row(one) is None


class TestChanges:
    @pytest.mark.parametrize("kind", ["lose", "refuse"])
    @pytest.mark.parametrize("skip", [0, 1])
    async def test_change_survives_one_lost_answer(self, office: Office, faults: Faults, kind: str, skip: int) -> None:
        one = await _created(office)
        faults.add(kind, "bulk_write", "desks", skip=skip)
        changed = await office.references.change(one, {"state": "busy"})
        assert changed is not None
        assert await office.store.collection(Desk).get(one.id) == changed
        assert await office.intents() == []

    async def test_slot_that_arrives_late_and_finds_its_version_gone_changes_nothing(
        self, office: Office, faults: Faults
    ) -> None:
        one = await _created(office)
        faults.add("late", "bulk_write", "desks")
        changed = await office.references.change(one, {"state": "busy"})
        await faults.deliver()
        assert await office.store.collection(Desk).get(one.id) == changed
        assert await office.intents() == []

    async def test_slot_that_may_still_arrive_makes_a_refusal_uncertain(self, office: Office, faults: Faults) -> None:
        one = await _created(office)
        await office.close(PERSON, "people", one.person_id)
        faults.add("late", "bulk_write", "desks")
        with pytest.raises(Unavailable):
            await office.references.change(one, {"state": "busy"})
        await faults.deliver()
        assert len(await office.intents()) == 1
        await office.reap()
        assert await office.store.collection(Desk).get(one.id) == one

    async def test_commit_that_arrives_after_the_voiding_commits_nothing(self, office: Office, faults: Faults) -> None:
        one = await _created(office)
        faults.add("late", "bulk_write", "desks", skip=1)
        clearing = faults.add("hold", "update_one", "desks")
        changing = asyncio.create_task(office.references.change(one, {"state": "busy"}))
        await clearing.gate.reached.wait()
        await office.close(PERSON, "people", one.person_id)
        assert await office.void(PERSON, "people", one.person_id) == 1
        clearing.gate.open()
        with pytest.raises(ReferenceClosed):
            await changing
        await faults.deliver()
        assert await office.store.collection(Desk).get(one.id) == one

    async def test_change_that_took_effect_and_was_changed_over_is_not_called_a_conflict(
        self, office: Office, faults: Faults
    ) -> None:
        one = await _created(office)
        faults.add("hold-answer", "bulk_write", "desks", skip=1).kind = "lose"
        reading = faults.add("hold", "update_one", "desks")
        changing = asyncio.create_task(office.references.change(one, {"state": "busy"}))
        await reading.gate.reached.wait()
        current = await office.store.collection(Desk).get(one.id)
        assert current is not None
        assert current.state == "busy"
        assert await office.again().references.change(current, {"state": "free"}) is not None
        reading.gate.open()
        with pytest.raises(Unavailable):
            await changing

    async def test_change_that_a_helper_committed_and_somebody_changed_over_is_not_refused_for_certain(
        self, office: Office, faults: Faults
    ) -> None:
        one = await _created(office)
        look = faults.add("hold", "find", "reference_closures")
        changing = asyncio.create_task(office.references.change(one, {"state": "busy"}))
        await look.gate.reached.wait()
        other = office.again()
        assert await other.references.change(one, {"name": "other"}) is None
        current = await office.store.collection(Desk).get(one.id)
        assert current is not None
        assert current.state == "busy"
        assert await other.references.change(current, {"state": "free"}) is not None
        await office.close(PERSON, "people", one.person_id)
        look.gate.open()
        with pytest.raises(Unavailable):
            await changing


async def test_rerun_of_a_create_finds_its_own_document_by_its_id(office: Office) -> None:
    one = desk()
    await office.references.create(one, attached(one))
    with pytest.raises(DuplicateKey) as taken:
        await office.again().references.create(one, attached(one))
    assert taken.value.fields == ("_id",)


async def _created(office: Office) -> Desk:
    one = desk()
    await office.references.create(one, attached(one))
    return one


async def test_document_that_a_helper_committed_and_somebody_changed_is_known_as_ones_own(
    office: Office, faults: Faults
) -> None:
    one = desk(name="n")
    faults.add("refuse", "update_many", "desks")
    removal = faults.add("hold", "delete_one", "desks")
    creating = asyncio.create_task(office.references.create(one, attached(one)))
    await removal.gate.reached.wait()
    rival, other = desk(name="n", person_id=one.person_id), office.again()
    with pytest.raises(DuplicateKey):
        await other.references.create(rival, attached(rival))
    assert await other.references.change(one, {"state": "busy"}) is not None
    removal.gate.open()
    await creating


async def test_create_that_a_helper_committed_and_somebody_changed_is_not_refused(
    office: Office, faults: Faults
) -> None:
    one = desk(name="n")
    look = faults.add("hold", "find", "reference_closures")
    creating = asyncio.create_task(office.references.create(one, attached(one)))
    await look.gate.reached.wait()
    rival, other = desk(name="n", person_id=one.person_id), office.again()
    with pytest.raises(DuplicateKey):
        await other.references.create(rival, attached(rival))
    assert await other.references.change(one, {"state": "busy"}) is not None
    await office.close(PERSON, "people", one.person_id)
    look.gate.open()
    assert await creating == one
