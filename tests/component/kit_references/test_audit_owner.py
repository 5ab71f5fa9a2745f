"""What an owner is audited for beside its children, and what an audit may change there."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

import pytest
from bson import ObjectId
from mock_store import Faults
from office import NOW, Office, attached, desk

from kit.problems import ForeignRows
from kit.references.audits.audit import audit_owner
from kit.references.audits.audit_findings import OwnerReport
from kit.references.audits.audit_sides import StoreOwnerSide
from kit.schemas import format_timestamp

pytestmark = pytest.mark.anyio

OWN = {("desks.door", "rooms"), ("tickets.deskId", "desks"), ("logs.sourceId", "cases")}


async def audited(office: Office, known: Collection[str] = ("office",)) -> OwnerReport:
    side = StoreOwnerSide(office.store)

    async def open_deletions(ids: Collection[str]) -> dict[str, bool]:
        return await side.open_deletions([one for one in ids if one.partition(".")[0] in known])

    return await audit_owner(
        "office", ["desks", "rooms"], owner=side, open_deletions=open_deletions, declared=OWN, recheck_after_s=0.01
    )


async def in_deletion(office: Office, state: str, deletion: str | None = None) -> str:
    one = desk()
    await office.references.create(one, attached(one))
    parent = {"state": state, "epoch": 1, **({"deletion": deletion} if deletion else {})}
    await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"_parent": parent}})
    return one.id


async def test_document_in_deletion_without_an_open_one_is_stuck(office: Office) -> None:
    await office.store.rows("reference_deletions").insert({"_id": "office.open", "open": True})
    await office.store.rows("reference_deletions").insert({"_id": "office.done"})
    await in_deletion(office, "deleting", "office.open")
    stuck = {await in_deletion(office, state, of) for state, of in (("purging", "office.done"), ("deleting", None))}
    report = await audited(office)
    assert {one.id for one in report.stuck} == stuck
    assert report.is_complete


async def test_deletion_of_a_service_that_cannot_be_asked_is_no_finding(office: Office) -> None:
    await in_deletion(office, "purging", "shop.gone")
    report = await audited(office)
    assert (report.stuck, report.is_complete) == ([], False)


async def test_document_that_goes_on_meanwhile_is_not_stuck(office: Office, faults: Faults) -> None:
    moved = await in_deletion(office, "deleting")
    second_look = faults.add("hold", "find", "desks", skip=3)  # both ends, and the first look
    auditing = asyncio.create_task(audited(office))
    await second_look.gate.reached.wait()
    await office.store.rows("desks").update_one(
        {"_id": moved}, {"$set": {"_parent.epoch": 2, "_parent.state": "active"}}
    )
    second_look.gate.open()
    assert (await auditing).stuck == []


async def test_pages_of_documents_are_read_to_the_end(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.references.audits.audit.PAGE", 2)
    stuck = {await in_deletion(office, "deleting") for _ in range(5)}
    assert {one.id for one in (await audited(office)).stuck} == stuck


async def test_registration_that_no_document_bears_out_is_named(office: Office) -> None:
    own = {(one.relationship, one.parent) for one in await StoreOwnerSide(office.store).registered()}
    assert {(one.relationship, one.parent) for one in (await audited(office)).undeclared} == own - OWN
    assert own >= OWN


async def test_only_the_registration_that_was_seen_is_marked_validated(office: Office) -> None:
    side, rows = StoreOwnerSide(office.store), office.store.rows("reference_registry")
    key = "desks.door|rooms"
    seen = next(one.at for one in await side.registered() if one.relationship == "desks.door")
    await rows.update_one({"_id": key}, {"$set": {"registeredAt": NOW + timedelta(hours=1)}})
    assert not await side.mark_validated("desks.door", "rooms", seen, NOW)
    later = format_timestamp(NOW + timedelta(hours=1))
    assert await side.mark_validated("desks.door", "rooms", later, NOW)
    assert [one.is_validated for one in await side.registered() if one.relationship == "desks.door"] == [True]
    assert not await side.mark_validated("desks.none", "rooms", later, NOW)


async def test_epoch_is_raised_above_what_is_given_and_never_lowered(office: Office) -> None:
    one = desk()
    await office.references.create(one, attached(one))
    side = StoreOwnerSide(office.store)
    assert [await side.raise_epoch("desks", one.id, above) for above in (4, 4, 2)] == ["raised", "above", "above"]
    assert await side.raise_epoch("desks", one.id, 5) == "raised"
    row = await office.row(one)
    assert row is not None
    assert row["_parent"] == {"state": "active", "epoch": 6}
    assert await side.raise_epoch("desks", "nobody", 3) == "absent"


@pytest.mark.parametrize("state", ["deleting", "purging"])
async def test_epoch_is_raised_in_deletion_too_which_stays_what_it_is(office: Office, state: str) -> None:
    """Its deletion waits for this: a closure is ahead of what the restored owner knows."""
    side, one = StoreOwnerSide(office.store), await in_deletion(office, state, "office.open")
    plan = [{"relationship": "tickets.deskId", "service": "office", "onDelete": "RESTRICT"}]
    await office.store.rows("desks").update_one({"_id": one}, {"$set": {"_parent.plan": plan}})
    assert await side.raise_epoch("desks", one, 3) == "raised"
    row = await office.store.rows("desks").find_one({"_id": one})
    assert row is not None
    assert row["_parent"] == {"state": state, "epoch": 4, "deletion": "office.open", "plan": plan}


async def test_epoch_of_another_deletion_is_not_raised(office: Office, faults: Faults) -> None:
    one = await in_deletion(office, "deleting", "office.first")
    held = faults.add("hold", "update_one", "desks")
    raising = asyncio.create_task(StoreOwnerSide(office.store).raise_epoch("desks", one, 3))
    await held.gate.reached.wait()
    await office.store.rows("desks").update_one({"_id": one}, {"$set": {"_parent.deletion": "office.second"}})
    held.gate.open()
    assert await raising == "changed"


async def test_row_that_no_service_wrote_is_named_instead_of_passed_over(office: Office) -> None:
    side = StoreOwnerSide(office.store)
    assert (await side.in_deletion("desks", "", 10)).found == ()
    await office.store.rows("desks").insert({"_id": ObjectId(), "name": "by hand"})
    with pytest.raises(ForeignRows, match=r"desks has a row whose _id is no text: ObjectId"):
        await side.in_deletion("desks", "", 10)


async def test_epoch_that_changes_meanwhile_is_not_overwritten(office: Office, faults: Faults) -> None:
    one = desk()
    await office.references.create(one, attached(one))
    held = faults.add("hold", "update_one", "desks")
    raising = asyncio.create_task(StoreOwnerSide(office.store).raise_epoch("desks", one.id, 3))
    await held.gate.reached.wait()
    marked = {"_parent": {"state": "deleting", "epoch": 1}}
    await office.store.rows("desks").update_one({"_id": one.id}, {"$set": marked})
    held.gate.open()
    assert await raising == "changed"


async def test_creates_that_a_closure_ahead_barred_go_through_after_the_epoch_was_raised(office: Office) -> None:
    """The desk's own room: its owner is the service itself, which asks for the epoch live."""
    one = desk()
    (room_id,) = [row["_id"] for row in await office.store.rows("rooms").find({}, limit=1)]
    await office.close("desks.door", "rooms", room_id, epoch=3)
    with pytest.raises(Exception, match="being deleted"):
        await office.references.create(one, attached(one))
    assert await StoreOwnerSide(office.store).raise_epoch("rooms", room_id, 3) == "raised"
    assert (await office.references.create(one, attached(one))).id == one.id
