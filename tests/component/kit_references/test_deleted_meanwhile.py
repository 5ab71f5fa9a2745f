"""A document that its request takes for missing was there, and somebody has deleted it: it does not come back."""

import asyncio
from typing import Annotated, ClassVar

import pytest
from mock_store import Faults, faulty_client, mock_client
from office import NOW, Desk, Office, attached, desk

from kit.clock import FixedClock
from kit.documents import Entity
from kit.ids import Id, new_id
from kit.problems import ReferenceClosed, ResourceDeleted
from kit.references.declaration import CASCADE, Reference
from kit.references.deletes.cascading import Doomed
from kit.references.deletes.closing import Closing
from kit.references.deletes.deleting import DeletePlan
from kit.references.deletes.parent_states import ParentAt, ParentState
from kit.references.guarded import References
from kit.references.rules import EntityRules
from kit.store.errors import UnguardedWrite

pytestmark = pytest.mark.anyio


class Club(Entity):
    """Refers to nothing."""

    rules: ClassVar[EntityRules] = EntityRules(key="clubId")

    class Settings:
        name = "clubs"


class Box(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="boxId")

    class Settings:
        name = "boxes"


BoxRef = Annotated[Id, Reference("boxes", on_delete=CASCADE)]


class Slip(Entity):
    """A leaf, which can be moved."""

    rules: ClassVar[EntityRules] = EntityRules(key="slipId", referable_by=())

    box_id: BoxRef

    class Settings:
        name = "slips"


async def delete(office: Office, one: Desk) -> None:
    await delete_by(office.references, "desks", one.id)


async def delete_by(references: References, entity: str, document_id: str) -> None:
    deletions = references.deletions
    begun = await deletions.begin("office", entity, DeletePlan(document_id), "ann")
    await deletions.purge(begun.deletion_id, begun.epoch, [])
    assert (await deletions.finish(begun.deletion_id, begun.epoch, {})).state == "done"


async def test_create_whose_commit_was_lost_says_that_it_was_deleted(office: Office, faults: Faults) -> None:
    one = desk()
    faults.add("lose", "update_many", "desks")
    reading = faults.add("hold", "delete_one", "desks")
    creating = asyncio.create_task(office.references.create(one, attached(one)))
    await reading.gate.reached.wait()
    await delete(office, one)
    reading.gate.open()
    with pytest.raises(ResourceDeleted):
        await creating
    assert await office.row(one) is None


async def inserted_late(office: Office, faults: Faults) -> Desk:
    """A desk whose first insert arrives when it was created by the second and deleted."""
    one = desk(name="n")
    faults.add("late", "insert_many", "desks")
    await office.references.create(one, attached(one))
    await delete(office, one)
    await faults.deliver()
    return one


async def test_insert_that_arrives_late_is_no_document(office: Office, faults: Faults) -> None:
    one = await inserted_late(office, faults)
    assert await office.store.collection(Desk).get(one.id) is None
    await office.reap()
    assert await office.row(one) is None


async def test_so_it_is_with_what_refers_to_nothing() -> None:
    client, faults = faulty_client(1)
    store = client.database("clubs")
    clubs = References(store, [Club], clock=FixedClock(NOW), service="office")
    await store.prepare([Club, *References.records])
    one = Club(id=new_id(), created_at=NOW, updated_at=NOW)
    faults.add("late", "insert_many", "clubs")
    await clubs.create(one)
    assert await store.collection(Club).get(one.id) == one
    await delete_by(clubs, "clubs", one.id)
    await faults.deliver()
    assert await store.collection(Club).get(one.id) is None
    with pytest.raises(UnguardedWrite):
        await store.collection(Club).insert(one)


async def test_nobody_helps_it_to_become_one(office: Office, faults: Faults) -> None:
    one = await inserted_late(office, faults)
    other = desk(name="n", person_id=one.person_id)
    await office.references.create(other, attached(other))
    assert await office.row(one) is None
    assert await office.store.collection(Desk).get(other.id) == other


async def test_retry_does_not_make_it_again(office: Office) -> None:
    one = desk()
    await office.references.create(one, attached(one))
    await delete(office, one)
    for _ in range(2):
        with pytest.raises(ResourceDeleted):
            await office.again().references.create(one, attached(one))
    assert await office.row(one) is None


async def test_what_went_with_its_parent_does_not_come_back_either(office: Office) -> None:
    one = desk()
    await office.references.create(one, attached(one))
    rows, purging = office.store.rows("desks"), ParentAt(ParentState.PURGING, 1)
    await rows.update_one({"_id": one.id}, {"$set": {"_parent": purging.stored()}})
    assert await office.references.cascade.remove("desks", [Doomed(one.id, 1)]) == 1
    with pytest.raises(ResourceDeleted):
        await office.references.create(one, attached(one))


async def test_leaf_that_went_with_another_parent_than_its_first_does_not_come_back() -> None:
    store = mock_client().database("boxes")
    references = References(store, [Box, Slip], clock=FixedClock(NOW), service="office")
    await store.prepare([Box, Slip, *References.records])
    await references.start()
    first, second = (Box(id=new_id(), created_at=NOW, updated_at=NOW) for _ in range(2))
    slip = Slip(id=new_id(), box_id=first.id, created_at=NOW, updated_at=NOW)
    for one in (first, second, slip):
        await references.create(one)
    assert await references.change(slip, {"boxId": second.id}) is not None
    naming = references.namings.find("slips.boxId", "boxes")
    assert (await references.cascade.apply(naming, [second.id], CASCADE, "office.d")).removed == 1
    with pytest.raises(ResourceDeleted):
        await references.create(slip)
    assert await store.collection(Slip).get(slip.id) is None
    await references.closer.close([Closing(naming, first.id, 1)])
    with pytest.raises(ReferenceClosed):
        await references.create(slip)


async def test_id_is_not_closed_by_a_delete_that_is_not_decided(office: Office) -> None:
    one = desk()
    await office.references.create(one, attached(one))
    deletions = office.references.deletions
    begun = await deletions.begin("office", "desks", DeletePlan(one.id), "ann")
    await deletions.finish(begun.deletion_id, begun.epoch, {})
    assert await office.store.rows("reference_closures").find({}, limit=9) == []
