"""What a service does to a child that an operator wants repaired: conditional on what was reported, with its parts."""

import asyncio
from typing import Any

import pytest
from mock_store import Faults
from office import DOCUMENTS, PERSON, Office, attached, desk
from people_service import PEOPLE_DOCUMENTS, stored

from kit.documents import Stored
from kit.references.audits.audit_findings import Relationship, relationships
from kit.references.audits.repair import DELETING, GONE, QUARANTINED, REMOVED, Order, Repaired, Repairs
from kit.references.deletes.deletions import CHANGED, Deletions
from kit.references.deletes.parts import Parts
from kit.references.publication import published_entities
from kit.references.registry import Consent, Registry
from kit.store import StoreUnavailable

pytestmark = pytest.mark.anyio

BADGE = "badges.personId"


def repairs(office: Office, documents: tuple[type[Stored], ...] = PEOPLE_DOCUMENTS) -> Repairs:
    registry = Registry(office.store, documents, service="office", consent=Consent(None))
    parts = Parts(office.store, documents, clock=office.clock)
    deletions = Deletions(office.store, registry, parts, clock=office.clock)
    return Repairs(office.store, documents, service="office", deletions=deletions, parts=parts, clock=office.clock)


def relationship(name: str) -> Relationship:
    entities = {**published_entities(PEOPLE_DOCUMENTS), **published_entities(DOCUMENTS)}
    return next(one for one in relationships(entities) if one.name == name)


def order(child_id: str, parent_id: str = "nobody", *, keeps: bool = False, name: str = BADGE) -> Order:
    return Order(relationship(name), child_id, parent_id, keeps, "audit", "admin")


async def badge(office: Office, child_id: str = "b1", **changes: Any) -> str:
    await office.store.rows("badges").insert(stored(_id=child_id, personId="nobody", **changes))
    await office.store.rows("badge_uses").insert({"_id": f"{child_id}-use", "badgeId": child_id, "door": "12"})
    return child_id


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
