import asyncio

import pytest
from mock_store import Faults
from office import Desk, Office, attached, desk

from kit.references.reaper import SEEN_TWICE_AFTER_S

pytestmark = pytest.mark.anyio


async def test_intent_that_is_seen_again_a_minute_later_is_removed(office: Office, faults: Faults) -> None:
    one = desk()
    commit = faults.add("hold", "update_many", "desks")
    creating = asyncio.create_task(office.references.create(one, attached(one)))
    await commit.gate.reached.wait()
    reaper = office.again().references.reaper
    assert await reaper.sweep() == 0
    office.clock.advance(SEEN_TWICE_AFTER_S - 1)
    assert await reaper.sweep() == 0
    office.clock.advance(1)
    assert await reaper.sweep() == 1
    assert await office.row(one) is None
    commit.gate.open()
    await creating
    assert await office.store.collection(Desk).get(one.id) == one


async def test_slot_is_cleared_and_its_document_stays(office: Office, faults: Faults) -> None:
    one = desk()
    await office.references.create(one, attached(one))
    commit = faults.add("hold", "bulk_write", "desks", skip=1)
    changing = asyncio.create_task(office.references.change(one, {"state": "busy"}))
    await commit.gate.reached.wait()
    reaper = office.references.reaper
    await reaper.sweep()
    office.clock.advance(SEEN_TWICE_AFTER_S)
    assert await reaper.sweep() == 1
    assert await office.store.collection(Desk).get(one.id) == one
    commit.gate.open()
    changed = await changing
    assert changed is not None
    assert changed.state == "busy"


async def test_another_sending_of_the_same_id_is_another_intent(office: Office) -> None:
    rows = office.store.rows("desks")
    intent = {"kind": "create", "refs": ["desks.personId|people|p"]}
    reaper = office.references.reaper
    await rows.insert({"_id": "d", "_token": "t1", "_intent": {**intent, "token": "t1"}})
    await reaper.sweep()
    office.clock.advance(SEEN_TWICE_AFTER_S)
    await rows.delete_one({"_id": "d"})
    await rows.insert({"_id": "d", "_token": "t2", "_intent": {**intent, "token": "t2"}})
    assert await reaper.sweep() == 0
    office.clock.advance(SEEN_TWICE_AFTER_S)
    assert await reaper.sweep() == 1


async def test_more_than_a_page_is_reaped(office: Office) -> None:
    rows = office.store.rows("desks")
    intent = {"kind": "create", "refs": ["a.b|c|d"]}
    made = [
        {"_id": f"d{n}", "name": str(n), "_token": f"t{n}", "_intent": {**intent, "token": f"t{n}"}} for n in range(600)
    ]
    assert not await rows.insert_many(made)
    reaper = office.references.reaper
    await reaper.sweep()
    office.clock.advance(SEEN_TWICE_AFTER_S)
    assert await reaper.sweep() == 600
    assert await rows.count({}) == 0
