import asyncio
from datetime import timedelta
from typing import Any

import pytest
from mock_store import Faults
from office import CARD, DOCUMENTS, NOW, PERSON, ROOM_ID, Desk, Office, attached, desk

from kit.ids import new_id
from kit.references.audit import ABSENT, MISMATCH, Orphan, Relationship, Report, audit, relationships
from kit.references.publication import published_entities

pytestmark = pytest.mark.anyio


def relationship(name: str, parent: str | None = None) -> Relationship:
    found = relationships(published_entities(DOCUMENTS))
    (only,) = (one for one in found if one.name == name and parent in (None, one.parent))
    return only


async def audited(office: Office, one: Relationship) -> Report:
    return await audit(one, children=office.store, parents=office.store, clock=office.clock, recheck_after_s=0.01)


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
    second_look = faults.add("hold", "find", "desks", skip=1)
    auditing = asyncio.create_task(audited(office, relationship(PERSON)))
    await second_look.gate.reached.wait()
    await office.store.rows("desks").delete_one({"_id": one.id})
    second_look.gate.open()
    assert (await auditing).orphans == []


async def test_intents_are_reported_with_their_age_and_are_no_children(office: Office) -> None:
    refs = [f"{PERSON}|people|p"]
    intent = {"kind": "create", "token": "t", "refs": refs, "at": NOW - timedelta(seconds=90)}
    await office.store.rows("desks").insert({"_id": "d", "personId": "p", "_token": "t", "_intent": intent})
    report = await audited(office, relationship(PERSON))
    assert (report.children_read, report.orphans) == (0, [])
    assert report.body()["intents"] == [{"childId": "d", "kind": "create", "ageS": 90.0}]
    assert (await audited(office, relationship(CARD))).intents == []


@pytest.mark.parametrize(
    ("epoch", "closure_epoch", "kind"), [(3, 2, "stale"), (2, 3, "ahead"), (2, 2, None), (None, 5, None)]
)
async def test_closure_is_compared_with_its_owners_epoch(
    office: Office, epoch: int | None, closure_epoch: int, kind: str | None
) -> None:
    if epoch is not None:
        await office.store.rows("people").insert({"_id": "p", "_parent": {"state": "active", "epoch": epoch}})
    await office.close(PERSON, "people", "p", epoch=closure_epoch)
    await office.close(CARD, "cards", "p", epoch=1)
    report = await audited(office, relationship(PERSON))
    assert [(one.key, one.kind) for one in report.closures] == ([(f"{PERSON}|people|p", kind)] if kind else [])


async def test_pages_are_read_to_the_end(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.references.audit.PAGE", 3)
    many = await stored(office, 8)
    await office.store.rows("people").delete_many({})
    report = await audited(office, relationship(PERSON))
    assert report.children_read == 8
    assert {one.child_id for one in report.orphans} == {one.id for one in many}
