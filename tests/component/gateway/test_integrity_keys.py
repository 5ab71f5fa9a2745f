"""An audit that is asked for with an Idempotency-Key is begun once, and a key stands for one audit."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from api import problem
from audited_platform import AuditedPlatform
from audits import AUDITS, PERSON, begun, ended
from stub_services import Handler, replies

from kit.ids import new_id

pytestmark = pytest.mark.anyio

BADGE = "badges.personId"
KEY = {"idempotency-key": "k1"}
READ = "/internal/references/audit/records/read"


@pytest.fixture
async def asking(two: AuditedPlatform) -> AsyncIterator[Any]:
    async with two.gateway() as client:
        yield client


async def kept(two: AuditedPlatform, audit_id: str, **changes: Any) -> None:
    """What the services keep of it is changed behind their backs."""
    for service in (two.people, two.office):
        await service.store.rows("reference_audits").update_one({"_id": audit_id}, {"$set": changes})


async def test_repeated_request_is_answered_as_the_first_and_says_so(asking: Any) -> None:
    first = await asking.post(AUDITS, json={"relationships": [PERSON, BADGE]}, headers=KEY)
    again = await asking.post(AUDITS, json={"relationships": [BADGE, PERSON]}, headers=KEY)
    assert (again.status_code, again.json(), again.headers["location"]) == (
        202,
        first.json(),
        first.headers["location"],
    )
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in (await asking.post(AUDITS, json={})).headers


async def test_key_of_an_audit_of_one_service_begins_none_of_another(two: AuditedPlatform, asking: Any) -> None:
    audit_id = await begun(asking, {"relationships": [PERSON]}, **KEY)
    for names in ([BADGE], [PERSON, BADGE], None):
        body = {} if names is None else {"relationships": names}
        problem(await asking.post(AUDITS, json=body, headers=KEY), 422, "idempotency-mismatch")
    assert [one["relationship"] for one in (await ended(asking, audit_id))["relationships"]] == [PERSON]
    assert await two.people.store.rows("reference_audits").count({}) == 0


async def test_retry_after_a_deploy_is_of_the_audit_that_was_begun_before(two: AuditedPlatform, asking: Any) -> None:
    audit_id = await begun(asking, **KEY)
    await ended(asking, audit_id)
    said = {"relationship": PERSON, "parent": "people", "value": None, "kind": "reference", "service": "office"}
    await kept(two, audit_id, planned=[said])
    assert await begun(asking, **KEY) == audit_id
    await kept(two, audit_id, asked=["chairs.deskId"], planned=[{**said, "relationship": "chairs.deskId"}])
    assert await begun(asking, {"relationships": ["chairs.deskId"]}, **KEY) == audit_id
    problem(await asking.post(AUDITS, json={}, headers=KEY), 422, "idempotency-mismatch")


async def test_record_of_an_older_version_is_compared_by_what_it_planned(two: AuditedPlatform, asking: Any) -> None:
    audit_id = await begun(asking, {"relationships": [PERSON]}, **KEY)
    await kept(two, audit_id, asked=None)
    assert await begun(asking, {"relationships": [PERSON]}, **KEY) == audit_id
    for body in ({}, {"relationships": [BADGE]}):
        problem(await asking.post(AUDITS, json=body, headers=KEY), 422, "idempotency-mismatch")


async def test_none_is_begun_while_a_service_cannot_say_whether_the_key_was_used(
    two: AuditedPlatform, asking: Any
) -> None:
    audit_id = await begun(asking, {"relationships": [PERSON]}, **KEY)
    await two.office.down()
    said = problem(await asking.post(AUDITS, json={"relationships": [BADGE]}, headers=KEY), 503, "unavailable")
    assert "office" in said["detail"]
    assert await two.people.store.rows("reference_audits").count({}) == 0
    await begun(asking, {"relationships": [BADGE]})
    await two.office.up()
    assert await begun(asking, {"relationships": [PERSON]}, **KEY) == audit_id


def head(relationship: str, audit_id: str, service: str, **changes: Any) -> dict[str, Any]:
    said = {"relationship": relationship, "parent": "users", "value": None, "kind": "reference", "service": service}
    return {
        "auditId": audit_id,
        "asked": [relationship],
        "planned": [said],
        "services": [service],
        "unknown": [],
        "startedAt": "2026-11-01T00:00:00.000Z",
        "state": "running",
        "beat": 0,
        "orphanCount": 0,
        "reports": [],
        **changes,
    }


def becomes(*values: Any) -> Handler:
    """One after the other, then the last for ever."""
    left = list(values)

    async def handler(_: Any, reply: Any) -> None:
        await reply(200, {"audit": left.pop(0) if len(left) > 1 else left[0]})

    return handler


async def test_of_two_bodies_with_one_key_at_the_same_time_none_is_taken_for_the_other(
    platform: Any, admin: Any
) -> None:
    """The key is not known when this request looks, and is another's when it has begun its part."""
    records = "/internal/references/audit/records/"
    platform.users.answers["POST", READ] = becomes(None, head("exchange_accounts.userId", new_id(), "users"))
    platform.bots.answers["POST", READ] = becomes(None, head("trading_bots.userId", new_id(), "bots"))
    for step, said in (("begin", {"isNew": True}), ("finish", {"isDone": True})):
        platform.bots.answers["POST", records + step] = replies(200, said)
    wish = {"relationships": ["trading_bots.userId"]}
    problem(await admin.post(AUDITS, json=wish, headers=KEY), 422, "idempotency-mismatch")
    (ended_here,) = platform.bots.to(records + "finish")
    assert "at the same time" in ended_here.json["reason"]
    assert platform.users.to(records + "finish") == []


async def test_parts_of_two_plans_are_both_shown(platform: Any, admin: Any) -> None:
    audit_id = new_id()
    platform.users.answers["POST", READ] = becomes(head("exchange_accounts.userId", audit_id, "users"))
    platform.bots.answers["POST", READ] = becomes(head("trading_bots.userId", audit_id, "bots"))
    audit = (await admin.get(f"{AUDITS}/{audit_id}")).json()
    shown = {one["relationship"] for one in audit["relationships"]}
    assert shown == {"exchange_accounts.userId", "trading_bots.userId"}
