"""The parts of aggregates that are gone: found whenever they come, and nobody else's."""

import asyncio
from typing import Any

import pytest
from mock_store import Faults
from office import NOW, Office
from people_service import PEOPLE_DOCUMENTS

from kit.references.deletes.parts import SEEN_TWICE_AFTER_S, Parts

pytestmark = pytest.mark.anyio


async def rows_of(office: Office, collection: str) -> list[dict[str, Any]]:
    return await office.store.rows(collection).find({}, sort=[("_id", 1)], limit=2_000)


async def put(office: Office, collection: str, *rows: dict[str, Any]) -> None:
    await office.store.rows(collection).insert_many(list(rows))


async def gone(office: Office) -> Parts:
    """Announced, and without its aggregate."""
    parts = Parts(office.store, PEOPLE_DOCUMENTS, clock=office.clock)
    await parts.announce("badges", ["n"])
    return parts


async def announced(office: Office) -> list[str]:
    return [row["_id"] for row in await rows_of(office, "reference_removed_aggregates")]


async def test_late_parts_are_found_until_a_minute_passed_without_one(office: Office) -> None:
    parts = await gone(office)
    for number in range(2):
        await parts.sweep()
        office.clock.advance(SEEN_TWICE_AFTER_S)
        await put(office, "badge_uses", {"_id": f"w{number}", "badgeId": "n"})
    await parts.sweep()
    assert await rows_of(office, "badge_uses") == []
    assert await announced(office) == ["badges|n"]  # a part came: once more
    await parts.sweep()
    assert await announced(office) == []


async def test_minute_begins_when_the_aggregate_is_seen_gone(office: Office) -> None:
    await put(office, "badges", {"_id": "n"})
    parts = await gone(office)
    await parts.sweep()
    office.clock.advance(10 * SEEN_TWICE_AFTER_S)
    await office.store.rows("badges").delete_one({"_id": "n"})
    await parts.sweep()
    assert await announced(office) == ["badges|n"]
    office.clock.advance(SEEN_TWICE_AFTER_S - 1)
    await parts.sweep()
    assert await announced(office) == ["badges|n"]
    office.clock.advance(1)
    await parts.sweep()
    assert await announced(office) == []


async def test_parts_of_one_that_is_there_again_stay(office: Office, faults: Faults) -> None:
    parts = await gone(office)
    held = faults.add("hold", "find", "badge_uses")
    sweeping = asyncio.create_task(parts.sweep())
    await held.gate.reached.wait()
    await put(office, "badges", {"_id": "n"})
    await put(office, "badge_uses", {"_id": "w", "badgeId": "n"})
    held.gate.open()
    await sweeping
    assert [row["_id"] for row in await rows_of(office, "badge_uses")] == ["w"]
    assert await announced(office) == ["badges|n"]


async def test_intent_is_no_aggregate_that_keeps_parts(office: Office) -> None:
    intent = {"kind": "create", "token": "t", "refs": ["badges.personId|people|x"], "at": NOW}
    await put(office, "badges", {"_id": "n", "_token": "t", "_intent": intent})
    parts = await gone(office)
    await put(office, "badge_uses", {"_id": "w", "badgeId": "n"})
    await parts.sweep()
    assert await rows_of(office, "badge_uses") == []


async def test_parts_of_the_living_do_not_hide_those_of_the_gone(office: Office) -> None:
    await put(office, "badges", {"_id": "a"})
    await put(office, "badge_uses", *({"_id": f"w{number:04}", "badgeId": "a"} for number in range(600)))
    await put(office, "badge_uses", {"_id": "z", "badgeId": "n"})
    parts = Parts(office.store, PEOPLE_DOCUMENTS, clock=office.clock)
    assert await parts.remove("badges", ["a", "n"]) == 1
    assert len(await rows_of(office, "badge_uses")) == 600


async def test_entity_without_parts_is_not_announced(office: Office) -> None:
    await Parts(office.store, PEOPLE_DOCUMENTS, clock=office.clock).announce("tickets", ["t"])
    assert await announced(office) == []
