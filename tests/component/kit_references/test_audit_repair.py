"""What a service does to a child that an operator wants repaired: conditional on what was reported, with its parts."""

import asyncio
from typing import Annotated, Any, ClassVar

import pytest
from mock_store import Faults
from office import DOCUMENTS, NOW, PERSON, Office, attached, desk
from people_service import PEOPLE_DOCUMENTS, stored

from kit.documents import Entity, Stored
from kit.ids import Id
from kit.problems import InvalidRequest
from kit.references.audits import repair
from kit.references.audits.audit_findings import Relationship, relationships
from kit.references.audits.repair import DELETING, GONE, QUARANTINED, REMOVED, Order, Repaired, Repairs
from kit.references.closures import Closures
from kit.references.declaration import RESTRICT, Reference
from kit.references.deletes.cascading import Cascade
from kit.references.deletes.deletions import CHANGED, Deletions
from kit.references.deletes.parts import Parts
from kit.references.publication import published_entities
from kit.references.registry import Consent, Registry
from kit.references.rules import EntityRules
from kit.store import StoreUnavailable, index

pytestmark = pytest.mark.anyio

BADGE = "badges.personId"
QUARANTINE = "reference_quarantine"
LockerPersonRef = Annotated[Id, Reference("people", on_delete=RESTRICT)]


class Locker(Entity):
    """It refers, and is itself referred to by a natural key."""

    rules: ClassVar[EntityRules] = EntityRules(key="lockerId", composite=("floor", "number"))

    person_id: LockerPersonRef
    floor: str
    number: str

    class Settings:
        name = "lockers"
        indexes: ClassVar = [index("floor", "number", unique=True)]


def repairs(office: Office, documents: tuple[type[Stored], ...] = PEOPLE_DOCUMENTS) -> Repairs:
    registry = Registry(office.store, documents, service="office", consent=Consent(None))
    parts = Parts(office.store, documents, clock=office.clock)
    closures = Closures(office.store)
    deletions = Deletions(office.store, registry, parts, closures, clock=office.clock)
    cascade = Cascade(office.store, documents, registry, parts, closures, clock=office.clock)
    return Repairs(
        office.store,
        documents,
        service="office",
        deletions=deletions,
        cascade=cascade,
        parts=parts,
        clock=office.clock,
    )


def relationship(name: str) -> Relationship:
    entities = published_entities((*PEOPLE_DOCUMENTS, *DOCUMENTS, Locker))
    return next(one for one in relationships(entities) if one.name == name)


def order(child_id: str, parent_id: str = "nobody", *, keeps: bool = False, name: str = BADGE, **more: Any) -> Order:
    return Order(relationship(name), child_id, parent_id, keeps, more.pop("audit", "audit"), "admin", **more)


async def badge(office: Office, child_id: str = "b1", **changes: Any) -> str:
    await office.store.rows("badges").insert(stored(_id=child_id, personId="nobody", **changes))
    await office.store.rows("badge_uses").insert({"_id": f"{child_id}-use", "badgeId": child_id, "door": "12"})
    return child_id


async def many_uses(office: Office, child_id: str, count: int) -> None:
    uses = [{"_id": f"{child_id}-{number:05}", "badgeId": child_id, "door": "12"} for number in range(count)]
    await office.store.rows("badge_uses").insert_many(uses)


async def copies(office: Office) -> dict[str, dict[str, Any]]:
    """The kept rows by their own ids."""
    found = await office.store.rows(QUARANTINE).find({}, limit=10_000)
    return {copy["documentId"]: copy for copy in found}


async def left(office: Office) -> tuple[int, int]:
    return await office.store.rows("badges").count({}), await office.store.rows("badge_uses").count({})


async def test_only_what_names_the_reported_parent_is_removed(office: Office) -> None:
    child = await badge(office)
    assert await repairs(office).carry_out(order(child, "somebody")) == Repaired(CHANGED)
    assert await left(office) == (1, 1)
    assert await repairs(office).carry_out(order(child)) == Repaired(REMOVED)
    assert await left(office) == (0, 0)
    assert await repairs(office).carry_out(order(child)) == Repaired(GONE)


async def test_child_that_is_changed_under_the_repair_stays(office: Office, faults: Faults) -> None:
    child = await badge(office)
    held = faults.add("hold", "delete_one", "badges")
    repairing = asyncio.create_task(repairs(office).carry_out(order(child)))
    await held.gate.reached.wait()
    await office.store.rows("badges").update_one({"_id": child}, {"$set": {"personId": "somebody", "version": 2}})
    held.gate.open()
    assert await repairing == Repaired(CHANGED)
    assert await left(office) == (1, 1)


async def test_kept_copy_is_of_the_version_that_was_removed(office: Office, faults: Faults) -> None:
    child = await badge(office)
    held = faults.add("hold", "delete_one", "badges")
    repairing = asyncio.create_task(repairs(office).carry_out(order(child, keeps=True)))
    await held.gate.reached.wait()
    await office.store.rows("badges").update_one({"_id": child}, {"$set": {"note": "late", "version": 2}})
    held.gate.open()
    assert await repairing == Repaired(QUARANTINED)
    kept = await office.store.rows("reference_quarantine").find_one({"_id": f"{BADGE}|{child}"})
    assert kept is not None
    assert (kept["row"]["note"], kept["row"]["version"], kept["by"]) == ("late", 2, "admin")
    part = f"{BADGE}|{child}|badge_uses|{child}-use"
    assert await office.store.rows("reference_quarantine").find_one({"_id": part}) is not None
    assert await left(office) == (0, 0)


async def test_intent_is_not_removed(office: Office) -> None:
    child = await badge(office, _token="t", _intent={"kind": "create", "token": "t", "refs": []})
    assert await repairs(office).carry_out(order(child)) == Repaired(CHANGED)
    assert await left(office) == (1, 1)


async def test_repair_whose_answer_was_lost_may_be_repeated(office: Office, faults: Faults) -> None:
    child = await badge(office)
    faults.add("lose", "delete_one", "badges")
    with pytest.raises(StoreUnavailable):
        await repairs(office).carry_out(order(child))
    assert await repairs(office).carry_out(order(child)) == Repaired(GONE)
    announced = await office.store.rows("reference_removed_aggregates").find_one({"_id": f"badges|{child}"})
    assert announced is not None  # so that the sweep removes its parts


async def test_one_that_others_may_refer_to_is_marked_for_deletion(office: Office) -> None:
    one = desk()
    await office.references.create(one, attached(one))
    done = await repairs(office, DOCUMENTS).carry_out(order(one.id, one.person_id, name=PERSON))
    assert done.result == DELETING
    again = await repairs(office, DOCUMENTS).carry_out(order(one.id, one.person_id, name=PERSON))
    assert again == done
    row = await office.row(one)
    assert row is not None
    assert (row["_parent"]["state"], row["_parent"]["deletion"]) == ("deleting", done.deletion_id)


async def test_mark_is_conditional_on_what_was_reported(office: Office, faults: Faults) -> None:
    one = desk()
    await office.references.create(one, attached(one))
    held = faults.add("hold", "update_one", "desks")
    repairing = asyncio.create_task(repairs(office, DOCUMENTS).carry_out(order(one.id, one.person_id, name=PERSON)))
    await held.gate.reached.wait()
    await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"personId": "somebody"}})
    held.gate.open()
    assert await repairing == Repaired(CHANGED)
    row = await office.row(one)
    assert row is not None
    assert row.get("_parent", {}).get("state", "active") == "active"


async def test_parts_are_copied_in_pages(office: Office, faults: Faults) -> None:
    child = await badge(office)
    await many_uses(office, child, 1_200)
    faults.calls.clear()
    assert await repairs(office).carry_out(order(child, keeps=True)) == Repaired(QUARANTINED)
    assert len(await copies(office)) == 1_202
    assert await left(office) == (0, 0)
    assert faults.count("insert_many", QUARANTINE) == 4
    assert faults.count("insert_one", QUARANTINE) == faults.count("replace_one", QUARANTINE) == 0


async def test_repeated_quarantine_copies_only_what_is_not_copied_yet(office: Office, faults: Faults) -> None:
    child = await badge(office)
    await many_uses(office, child, 1_200)
    faults.add("refuse", "insert_many", QUARANTINE, skip=2)
    with pytest.raises(StoreUnavailable):
        await repairs(office).carry_out(order(child, keeps=True))
    assert len(await copies(office)) == 501
    await office.store.rows("badge_uses").update_one({"_id": f"{child}-00007"}, {"$set": {"door": "13"}})
    faults.calls.clear()
    assert await repairs(office).carry_out(order(child, keeps=True, audit="again")) == Repaired(QUARANTINED)
    assert faults.count("insert_many", QUARANTINE) == 2
    assert faults.count("replace_one", QUARANTINE) == 1
    kept = await copies(office)
    assert len(kept) == 1_202
    assert kept[f"{child}-00007"]["row"]["door"] == "13"
    assert {copy["audit"] for copy in kept.values()} == {"again"}


async def test_copies_that_another_repair_makes_at_the_same_time_are_of_the_same_rows(
    office: Office, faults: Faults
) -> None:
    child = await badge(office)
    held = faults.add("hold", "insert_many", QUARANTINE, skip=1)
    repairing = asyncio.create_task(repairs(office).carry_out(order(child, keeps=True)))
    await held.gate.reached.wait()
    assert await repairs(office).carry_out(order(child, keeps=True)) == Repaired(QUARANTINED)
    held.gate.open()
    assert await repairing in (Repaired(GONE), Repaired(QUARANTINED))
    assert set(await copies(office)) == {child, f"{child}-use"}


async def test_child_with_more_parts_than_are_copied_stays_with_them_all(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair, "PARTS_PAGE", 2)
    monkeypatch.setattr(repair, "PARTS_PAGES_MAX", 2)
    child = await badge(office)
    await many_uses(office, child, 4)
    with pytest.raises(InvalidRequest) as refused:
        await repairs(office).carry_out(order(child, keeps=True))
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/keeps", "too-many-parts")]
    assert "badge_uses" in refused.value.detail
    assert await left(office) == (1, 5)
    assert await repairs(office).carry_out(order(child)) == Repaired(REMOVED)


async def test_child_whose_matched_field_was_corrected_stays(office: Office) -> None:
    one = desk()
    await office.references.create(one, attached(one))
    reported = order(one.id, one.card_id, name="desks.cardId", match={"personId": "somebody"})
    assert await repairs(office, DOCUMENTS).carry_out(reported) == Repaired(CHANGED)
    assert (await repairs(office, DOCUMENTS).look(reported))[0] == CHANGED
    as_it_is = order(one.id, one.card_id, name="desks.cardId", match={"personId": one.person_id})
    assert (await repairs(office, DOCUMENTS).carry_out(as_it_is)).result == DELETING


async def test_leaf_that_others_could_refer_to_before_is_marked_for_deletion(office: Office) -> None:
    child = await badge(office)
    await office.store.rows("reference_registry").insert(
        {
            "_id": "visits.badgeId|badges",
            "relationship": "visits.badgeId",
            "parent": "badges",
            "service": "shop",
            "onDelete": "RESTRICT",
            "state": "registered",
            "registeredAt": NOW,
        }
    )
    assert (await repairs(office).carry_out(order(child))).result == DELETING
    assert await left(office) == (1, 1)


async def test_child_with_a_natural_key_is_not_marked_for_deletion(office: Office) -> None:
    await office.store.rows("lockers").insert(stored(_id="l1", personId="nobody", floor="main", number="7"))
    with pytest.raises(InvalidRequest) as refused:
        await repairs(office, (*DOCUMENTS, Locker)).carry_out(order("l1", name="lockers.personId"))
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/childId", "never-deleted")]
    row = await office.store.rows("lockers").find_one({"_id": "l1"})
    assert row is not None
    assert "_parent" not in row
