"""What is kept of each delete: who reads it, how it is listed, and when it is forgotten."""

from datetime import timedelta
from typing import Any

import pytest
from mock_store import Faults
from office import Desk, Office, attached, desk

from kit.identity import ADMIN, Caller
from kit.problems import NotFound
from kit.references.deletes import deletion_records as records
from kit.references.deletes.deleting import DeletePlan
from kit.references.deletes.deletions import Standing
from kit.store import StoreUnavailable

pytestmark = pytest.mark.anyio

BLOCKED = [{"relationship": "tickets.deskId", "count": 12, "ids": [f"t{number:02}" for number in range(12)]}]


async def stored(office: Office) -> Desk:
    one = desk()
    await office.references.create(one, attached(one))
    return one


async def begin(office: Office, one: Desk, asker: str | None = "alice") -> Standing:
    return await office.references.deletions.begin("office", "desks", DeletePlan(one.id), asker)


async def kept_records(office: Office) -> list[dict[str, Any]]:
    return await office.store.rows(records.NAME).find({}, limit=100)


async def test_whoever_asked_and_admins_read_it_and_nobody_else(office: Office) -> None:
    one, nobodys = await stored(office), await stored(office)
    begun, internal = await begin(office, one), await begin(office, nobodys, None)
    deletions = office.references.deletions
    for caller in (Caller("alice"), Caller("boss", frozenset({ADMIN}))):
        assert (await deletions.read(begun.deletion_id, caller))["id"] == one.id
    for deletion_id, caller in [
        (begun.deletion_id, Caller("bob")),
        (begun.deletion_id, Caller(None)),
        (internal.deletion_id, Caller(None)),
        ("office.nothing", Caller("alice")),
    ]:
        with pytest.raises(NotFound):
            await deletions.read(deletion_id, caller)


async def test_reading_brings_a_record_up_to_its_document(office: Office, faults: Faults) -> None:
    one = await stored(office)
    begun = await begin(office, one)
    faults.add("refuse", "update_one", records.NAME, skip=1)  # the end of the record
    with pytest.raises(StoreUnavailable):
        await office.references.deletions.refuse(begun.deletion_id, 1, BLOCKED)
    said = await office.references.deletions.read(begun.deletion_id, Caller("alice"))
    assert said["state"] == "refused"
    assert [one["count"] for one in said["blockedBy"]] == [12]


async def test_those_that_stood_still_for_longest_come_first(office: Office) -> None:
    begun = []
    for _ in range(3):
        begun.append((await begin(office, await stored(office))).deletion_id)
        office.clock.advance(1)
    kept = office.references.deletions.records
    await kept.report(begun[0], step="close", waiting_for=[{"service": "bots", "reason": "down"}], progress={})
    listed = await office.references.deletions.unfinished()
    assert [one["deletionId"] for one in listed] == [begun[1], begun[2], begun[0]]
    assert [one["beat"] for one in listed] == [0, 0, 1]
    assert listed[2]["waitingFor"] == [{"service": "bots", "reason": "down"}]


async def test_final_ones_are_forgotten_after_a_month_and_open_ones_never(office: Office) -> None:
    done, still = await begin(office, await stored(office)), await begin(office, await stored(office))
    await office.references.deletions.refuse(done.deletion_id, 1, [])
    office.clock.advance(timedelta(days=records.KEPT_DAYS).total_seconds() + 1)
    await office.references.deletions.records.purge()
    assert [row["_id"] for row in await kept_records(office)] == [still.deletion_id]


async def test_final_record_takes_no_more_reports(office: Office) -> None:
    begun = await begin(office, await stored(office))
    await office.references.deletions.refuse(begun.deletion_id, 1, BLOCKED)
    kept = office.references.deletions.records
    before = await kept.find(begun.deletion_id)
    await kept.report(begun.deletion_id, step="apply", waiting_for=[], progress={"removed": 9})
    await kept.end(begun.deletion_id, records.DONE)
    assert await kept.find(begun.deletion_id) == before


async def test_more_than_a_page_is_forgotten_at_once(office: Office) -> None:
    rows = office.store.rows(records.NAME)
    old = office.clock.now() - timedelta(days=records.KEPT_DAYS + 1)
    await rows.insert_many([{"_id": f"office.{number}", "finishedAt": old} for number in range(records.PURGED_MAX + 2)])
    await office.references.deletions.records.purge()
    assert await kept_records(office) == []
