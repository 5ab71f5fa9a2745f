"""Who drives an audit: taken over, overtaken, and what becomes of one that meets a bug."""

import asyncio
from typing import Any

import pytest
from audited_platform import AuditedPlatform
from audits import AUDITS, PERSON, begun, ended, of, planted

pytestmark = pytest.mark.anyio


async def test_audit_is_finished_by_another_gateway_when_its_own_is_gone(two: AuditedPlatform) -> None:
    (orphan,) = await planted(two)
    await two.people.store.rows("people").delete_one({"_id": orphan["personId"]})
    async with two.gateway(audit_recheck_s=600) as first:
        audit_id = await begun(first)
        await asyncio.sleep(0.3)
        running = two.apps[0].running
        assert running is not None
        await running._running.aclose()  # as if the process were killed: nothing gives signs of life any more
        await running.integrity.stop()
        assert (await first.get(f"{AUDITS}/{audit_id}")).json()["state"] == "running"
        async with two.gateway() as second:
            audit = await ended(second, audit_id)
    assert (audit["state"], audit["orphanCount"], audit["isComplete"]) == ("done", 1, True)
    assert of(audit, PERSON)["orphans"][0]["childId"] == orphan["_id"]


async def test_gateway_that_was_overtaken_stops(two: AuditedPlatform) -> None:
    (orphan,) = await planted(two)
    await two.people.store.rows("people").delete_one({"_id": orphan["personId"]})
    async with two.gateway(audit_recheck_s=600, audit_sweep_interval_s=60) as first:
        audit_id = await begun(first)
        await two.office.store.rows("reference_audits").update_one({"_id": audit_id}, {"$inc": {"beat": 7}})
        running = two.apps[0].running
        assert running is not None
        for _ in range(100):
            if not running.integrity.auditor.drives(audit_id, "office"):
                break
            await asyncio.sleep(0.05)
        assert not running.integrity.auditor.drives(audit_id, "office")


async def test_service_that_keeps_a_part_is_waited_for(two: AuditedPlatform) -> None:
    await planted(two)
    async with two.gateway(audit_recheck_s=0.5) as admin:
        audit_id = await begun(admin)
        await two.office.down()
        await asyncio.sleep(0.6)
        unreachable = (await admin.get(f"{AUDITS}/{audit_id}")).json()
        assert [one["service"] for one in unreachable["unreachable"]] == ["office"]
        assert unreachable["isComplete"] is False
        await two.office.up()
        for _ in range(300):
            audit = await ended(admin, audit_id)
            if not audit["unreachable"]:
                break
            await asyncio.sleep(0.05)
    assert of(audit, PERSON)["isComplete"], audit


async def test_bug_ends_the_audit_as_failed(two: AuditedPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("gateway.integrity.part.audit", broken)
    async with two.gateway() as admin:
        audit = await ended(admin, await begun(admin))
    assert (audit["state"], audit["isComplete"]) == ("failed", False)
    assert of(audit, PERSON)["reason"] == "internal error of the gateway"
