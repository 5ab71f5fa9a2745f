import asyncio
from datetime import timedelta
from typing import Any

import pytest
from mock_store import Faults
from office import CARD, DOCUMENTS, NOW, PERSON, ROOM_ID, Desk, Office, attached, desk

from kit.ids import new_id
from kit.references.audits.audit import audit
from kit.references.audits.audit_findings import ABSENT, MISMATCH, PART, Orphan, Relationship, Report, relationships
from kit.references.audits.audit_sides import StoreChildSide, StoreParentSide
from kit.references.publication import published_entities

pytestmark = pytest.mark.anyio


def relationship(name: str, parent: str | None = None) -> Relationship:
    found = relationships(published_entities(DOCUMENTS))
    (only,) = (one for one in found if one.name == name and parent in (None, one.parent))
    return only


async def audited(office: Office, one: Relationship) -> Report:
    children, parents = StoreChildSide(office.store, office.clock), StoreParentSide(office.store)
    return await audit(one, children=children, parents=parents, recheck_after_s=0.01)


async def stored(office: Office, count: int = 1) -> list[Desk]:
    many = [desk() for _ in range(count)]
    await asyncio.gather(*(office.references.create(one, attached(one)) for one in many))
    await office.store.rows("people").insert_many([{"_id": one.person_id} for one in many])
    await office.store.rows("cards").insert_many([{"_id": one.card_id, "personId": one.person_id} for one in many])
    return many


async def test_whole_references_are_reported_as_such(office: Office) -> None:
    await stored(office, 5)
    for name in (PERSON, CARD, "desks.door"):
        report = await audited(office, relationship(name))
        assert (report.children_read, report.orphans, report.is_complete) == (5, [], True)
    assert (await audited(office, relationship("desks.lampId"))).children_read == 0


async def test_absent_parent_and_another_owners_parent_are_orphans(office: Office) -> None:
    absent, foreign, _ = await stored(office, 3)
    await office.store.rows("cards").delete_one({"_id": absent.card_id})
    await office.store.rows("cards").update_one({"_id": foreign.card_id}, {"$set": {"personId": new_id()}})
    report = await audited(office, relationship(CARD))
    assert sorted(report.orphans, key=lambda one: one.reason) == [
        Orphan(absent.id, absent.card_id, ABSENT),
        Orphan(foreign.id, foreign.card_id, MISMATCH),
    ]
    assert report.body()["orphanCount"] == 2
    assert {one["childId"] for one in report.body()["orphans"]} == {absent.id, foreign.id}


async def test_absent_natural_key_is_an_orphan(office: Office) -> None:
    (one,) = await stored(office)
    await office.store.rows("rooms").delete_one({"_id": ROOM_ID})
    assert (await audited(office, relationship("desks.door"))).orphans == [Orphan(one.id, "main/12", ABSENT)]


async def test_polymorphic_relationship_is_read_for_each_parent(office: Office) -> None:
    rows: list[dict[str, Any]] = [
        {"_id": "l1", "sourceType": "case", "sourceId": "c", "personId": "p"},
        {"_id": "l2", "sourceType": "card", "sourceId": "k", "personId": "p"},
    ]
    await office.store.rows("logs").insert_many(rows)
    await office.store.rows("cases").insert({"_id": "c", "personId": "p"})
    assert (await audited(office, relationship("logs.sourceId", "cases"))).orphans == []
    assert (await audited(office, relationship("logs.sourceId", "cards"))).orphans == [Orphan("l2", "k", ABSENT)]


async def test_suspect_that_is_whole_when_looked_at_again_is_none(office: Office, faults: Faults) -> None:
    (one,) = await stored(office)
    await office.store.rows("people").delete_one({"_id": one.person_id})
    second_look = faults.add("hold", "find", "desks", skip=3)  # both ends, and the first look
    auditing = asyncio.create_task(audited(office, relationship(PERSON)))
    await second_look.gate.reached.wait()
    await office.store.rows("desks").delete_one({"_id": one.id})
    second_look.gate.open()
    assert (await auditing).orphans == []


async def test_suspect_that_names_another_parent_when_looked_at_again_is_none(office: Office, faults: Faults) -> None:
    (one,) = await stored(office)
    await office.store.rows("people").delete_one({"_id": one.person_id})
    second_look = faults.add("hold", "find", "desks", skip=3)  # both ends, and the first look
    auditing = asyncio.create_task(audited(office, relationship(PERSON)))
    await second_look.gate.reached.wait()
    await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"personId": new_id()}})
    second_look.gate.open()
    assert (await auditing).orphans == []


async def test_children_made_and_removed_with_their_parents_raise_no_alarm(office: Office) -> None:
    lasting = await stored(office, 20)
    over = asyncio.Event()

    async def come_and_go() -> int:
        """As a cascade does it: the parent is in purging before its children go, and goes after them."""
        rounds = 0
        while not over.is_set():
            (one,) = await stored(office)
            people, purging = office.store.rows("people"), {"_parent": {"state": "purging", "epoch": 1}}
            await people.update_one({"_id": one.person_id}, {"$set": purging})
            await office.store.rows("desks").delete_one({"_id": one.id})
            await people.delete_one({"_id": one.person_id})
            await office.store.rows("cards").delete_one({"_id": one.card_id})
            rounds += 1
        return rounds

    traffic = [asyncio.create_task(come_and_go()) for _ in range(3)]
    for _ in range(5):
        for name in (PERSON, CARD, "desks.door"):
            report = await audited(office, relationship(name))
            assert report.is_clean, report.orphans
            assert report.children_read >= len(lasting)
    over.set()
    assert sum(await asyncio.gather(*traffic)) > 0


async def test_intents_are_reported_with_their_age_and_are_no_children(office: Office) -> None:
    refs = [f"{PERSON}|people|p"]
    intent = {"kind": "create", "token": "t", "refs": refs, "at": NOW - timedelta(seconds=90)}
    await office.store.rows("desks").insert({"_id": "d", "personId": "p", "_token": "t", "_intent": intent})
    report = await audited(office, relationship(PERSON))
    assert (report.children_read, report.orphans) == (0, [])
    assert report.body()["intents"] == [{"childId": "d", "kind": "create", "ageS": 90.0}]
    assert (await audited(office, relationship(CARD))).intents == []


@pytest.mark.parametrize(
    ("state", "epoch", "closure_epoch", "kind"),
    [
        ("active", 3, 2, "stale"),
        ("active", 2, 3, "ahead"),
        ("active", 2, 2, "barring"),
        ("deleting", 2, 2, None),
        ("deleting", 2, 3, "ahead"),
        ("purging", 2, 2, None),
        (None, 0, 5, None),
    ],
)
async def test_closure_is_compared_with_its_owners_epoch(
    office: Office, state: str | None, epoch: int, closure_epoch: int, kind: str | None
) -> None:
    if state is not None:
        await office.store.rows("people").insert({"_id": "p", "_parent": {"state": state, "epoch": epoch}})
    await office.close(PERSON, "people", "p", epoch=closure_epoch)
    await office.close(CARD, "cards", "p", epoch=1)
    report = await audited(office, relationship(PERSON))
    assert [(one.key, one.kind) for one in report.closures] == ([(f"{PERSON}|people|p", kind)] if kind else [])
    assert report.closure_count == len(report.closures)


@pytest.mark.parametrize(("epoch", "kinds"), [(0, ["ahead"]), (4, []), (5, [])])
async def test_reopened_closure_counts_only_if_its_owner_has_not_come_so_far(
    office: Office, epoch: int, kinds: list[str]
) -> None:
    await office.store.rows("people").insert({"_id": "p", "_parent": {"state": "active", "epoch": epoch}})
    await office.store.rows("reference_closures").insert({"_id": f"{PERSON}|people|p", "closed": False, "epoch": 4})
    assert [one.kind for one in (await audited(office, relationship(PERSON))).closures] == kinds


async def test_children_of_a_parent_in_purging_are_no_orphans_yet(office: Office) -> None:
    deleting, purging = await stored(office, 2)
    for one, state in ((deleting, "deleting"), (purging, "purging")):
        changed = {"_parent": {"state": state, "epoch": 1}, "personId": new_id()}
        await office.store.rows("cards").update_one({"_id": one.card_id}, {"$set": changed})
    report = await audited(office, relationship(CARD))
    assert [(one.child_id, one.reason) for one in report.orphans] == [(deleting.id, MISMATCH)]


async def test_part_whose_aggregate_is_not_there_is_an_orphan(office: Office) -> None:
    (whole,) = await stored(office)
    intent = {"kind": "create", "token": "t", "refs": [], "at": NOW}
    await office.store.rows("desks").insert({"_id": "pending", "_token": "t", "_intent": intent})
    await office.store.rows("reference_removed_aggregates").insert({"_id": "desks|removed", "at": NOW})
    for part, owner in (("e1", whole.id), ("e2", "gone"), ("e3", "pending"), ("e4", "removed")):
        await office.store.rows("desk_events").insert({"_id": part, "deskId": owner, "what": "made"})
    found = relationship("desk_events.deskId")
    assert (found.kind, found.parent) == (PART, "desks")
    report = await audited(office, found)
    assert report.children_read == 4
    assert report.orphans == [Orphan("e2", "gone", ABSENT), Orphan("e3", "pending", ABSENT)]


async def test_what_is_no_reference_at_all_names_nothing(office: Office) -> None:
    (one,) = await stored(office)
    await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"personId": {"a": 1}}})
    (orphan,) = (await audited(office, relationship(PERSON))).orphans
    assert (orphan.child_id, orphan.reason) == (one.id, ABSENT)


async def test_pages_are_read_to_the_end(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.references.audits.audit.PAGE", 3)
    many = await stored(office, 8)
    await office.store.rows("people").delete_many({})
    closures = [{"_id": f"{CARD}|cards|{one.card_id}", "closed": True, "epoch": 7} for one in many]
    await office.store.rows("reference_closures").insert_many(closures)
    report = await audited(office, relationship(PERSON))
    assert report.children_read == 8
    assert {one.child_id for one in report.orphans} == {one.id for one in many}
    assert {one.kind for one in (await audited(office, relationship(CARD))).closures} == {"ahead"}
    assert (await audited(office, relationship(CARD))).closure_count == 8


async def test_more_suspects_than_are_looked_at_again_make_a_report_incomplete(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.references.audits.audit.SUSPECTS_MAX", 3)
    await stored(office, 5)
    await office.store.rows("people").delete_many({})
    report = await audited(office, relationship(PERSON))
    assert (report.is_complete, report.is_clean) == (False, False)
    assert "3 suspects" in (report.reason or "")
