"""What a delete's record says after another delete has changed the document before it was looked at."""

import asyncio
from typing import Any

import pytest
from mock_store import Faults
from office import Desk, Office, attached, desk

from kit.references.deletes.deleting import DeletePlan
from kit.references.deletes.deletions import Standing
from kit.references.deletes.parent_states import ParentAt, ParentState
from kit.store import StoreUnavailable

pytestmark = pytest.mark.anyio

BLOCKED = ({"relationship": "tickets.deskId", "count": 1, "ids": ["t1"]},)


async def stored(office: Office) -> Desk:
    one = desk()
    await office.references.create(one, attached(one))
    return one


async def begin(office: Office, one: Desk, asker: str = "alice") -> Standing:
    return await office.references.deletions.begin("office", "desks", DeletePlan(one.id), asker)


async def refused_without_a_word(office: Office, faults: Faults, one: Desk) -> Standing:
    """A delete that is refused by a process that dies between the document and the record."""
    begun = await begin(office, one)
    faults.add("lose", "update_one", "desks")
    with pytest.raises(StoreUnavailable):
        await office.references.deletions.refuse(begun.deletion_id, begun.epoch, BLOCKED)
    return begun


async def mark_is_lost(office: Office, faults: Faults, one: Desk) -> str:
    """A delete whose mark is under way while its record is there."""
    faults.add("late", "update_one", "desks")
    with pytest.raises(StoreUnavailable):
        await begin(office, one)
    (open_one,) = await office.references.deletions.unfinished()
    return str(open_one["deletionId"])


async def row_at(office: Office, one: Desk) -> Any:
    row = await office.row(one)
    assert row is not None
    return row["_parent"]


@pytest.mark.parametrize("second_is_refused", [False, True])
async def test_refused_one_stays_refused_whatever_the_next_delete_does(
    office: Office, faults: Faults, *, second_is_refused: bool
) -> None:
    one, deletions = await stored(office), office.references.deletions
    first = await refused_without_a_word(office, faults, one)
    second = await begin(office, one, "bob")
    assert (second.state, second.epoch) == ("deleting", 3)
    if second_is_refused:
        await deletions.refuse(second.deletion_id, second.epoch, BLOCKED)
    standing = await deletions.resume(first.deletion_id)
    assert (standing.state, standing.other, standing.blocked_by) == ("refused", None, BLOCKED)
    assert (standing.requested_by, standing.deletion_id) == ("alice", first.deletion_id)
    assert (await deletions.resume(first.deletion_id)).state == "refused"
    assert (await deletions.resume(second.deletion_id)).state == ("refused" if second_is_refused else "deleting")


async def test_one_that_is_refused_while_it_is_looked_at_says_who_blocks(office: Office, faults: Faults) -> None:
    """A second DELETE reads the record just before the first one's coordinator writes down why it is refused."""
    one, deletions = await stored(office), office.references.deletions
    begun = await begin(office, one)
    held = faults.add("hold", "find_one", "desks")
    joined = asyncio.create_task(deletions.resume(begun.deletion_id))
    await held.gate.reached.wait()
    await deletions.refuse(begun.deletion_id, begun.epoch, BLOCKED)
    held.gate.open()
    standing = await joined
    assert (standing.state, standing.blocked_by) == ("refused", BLOCKED)


async def test_one_whose_mark_came_second_is_abandoned_and_touches_nothing(office: Office, faults: Faults) -> None:
    one, deletions = await stored(office), office.references.deletions
    lost = await mark_is_lost(office, faults, one)
    second = await begin(office, one)
    marked = await row_at(office, one)
    standing = await deletions.resume(lost)
    assert (standing.state, standing.other) == ("abandoned", None)
    await faults.deliver()
    assert await row_at(office, one) == marked
    assert [left["deletionId"] for left in await deletions.unfinished()] == [second.deletion_id]


async def test_only_a_purge_overtakes(office: Office) -> None:
    one = await stored(office)
    begun = await begin(office, one)
    forced = ParentAt(ParentState.PURGING, 2, "people.1").stored()
    await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"_parent": forced}})
    standing = await office.references.deletions.resume(begun.deletion_id)
    assert (standing.state, standing.other) == ("overtaken", "people.1")


async def test_document_in_deletion_is_known_as_such(office: Office) -> None:
    one, deletions = await stored(office), office.references.deletions
    assert not await deletions.is_in_deletion("desks", one.id)
    begun = await begin(office, one)
    assert await deletions.is_in_deletion("desks", one.id)
    await deletions.refuse(begun.deletion_id, 1, BLOCKED)
    assert not await deletions.is_in_deletion("desks", one.id)
    forced = ParentAt(ParentState.PURGING, 3, "people.1").stored()
    await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"_parent": forced}})
    assert await deletions.is_in_deletion("desks", one.id)
    assert not await deletions.is_in_deletion("desks", desk().id)
