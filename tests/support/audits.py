"""Audits through the gateway, for tests: desks of people to begin with, and one audit from its beginning to its end."""

import asyncio
from typing import Any

from audited_platform import AuditedPlatform
from people_service import stored

from kit.ids import new_id

AUDITS = "/v1/integrity/audits"
PERSON = "desks.personId"


async def planted(two: AuditedPlatform, count: int = 1, **changes: Any) -> list[dict[str, Any]]:
    """Desks whose parents are all there."""
    rows = []
    for _ in range(count):
        person, card = new_id(), new_id()
        await two.people.store.rows("people").insert(stored(_id=person, status="active"))
        await two.people.store.rows("cards").insert(stored(_id=card, personId=person, cardColor="red"))
        desk = {"personId": person, "cardId": card, "color": "red", "floor": "main", "door": "12", "name": "desk"}
        rows.append(stored(_id=new_id(), **{**desk, "state": "free", "strategy": {}, **changes}))
    await two.office.store.rows("desks").insert_many([dict(one) for one in rows])
    return rows


async def begun(admin: Any, body: Any = None, **headers: str) -> str:
    answer = await admin.post(AUDITS, json={} if body is None else body, headers=headers)
    assert answer.status_code == 202, answer.text
    audit_id: str = answer.json()["auditId"]
    assert answer.headers["location"] == f"{AUDITS}/{audit_id}"
    return audit_id


async def ended(admin: Any, audit_id: str) -> dict[str, Any]:
    for _ in range(1_200):
        answer = await admin.get(f"{AUDITS}/{audit_id}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        if body["state"] != "running":
            return body
        await asyncio.sleep(0.05)
    raise AssertionError("the audit did not end in time")


def of(audit: dict[str, Any], relationship: str, parent: str | None = None) -> dict[str, Any]:
    (only,) = [
        one for one in audit["relationships"] if one["relationship"] == relationship and parent in (None, one["parent"])
    ]
    found: dict[str, Any] = only
    return found
