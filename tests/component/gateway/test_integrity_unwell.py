"""Audits and repairs over services whose words make no sense: left out with the reason, never guessed."""

from typing import Any

import pytest
from api import problem
from audits import AUDITS
from stub_services import Stub, replies

from kit.ids import new_id

pytestmark = pytest.mark.anyio

ID = new_id()
PREFIX = "/internal/references/audit/"
USER = {"relationship": "trading_bots.userId", "parent": "users", "value": None, "kind": "reference"}
HEAD: dict[str, Any] = {
    "auditId": ID,
    "planned": [{**USER, "service": "users", "owner": "users"}],
    "services": ["bots", "users"],
    "unknown": [],
    "startedAt": "2026-11-01T00:00:00.000Z",
    "state": "running",
    "beat": 3,
    "orphanCount": 0,
    "finishedAt": None,
    "reports": [],
}
BAD_HEADS: list[Any] = [7, [], {}, {**HEAD, "beat": "x"}, {**HEAD, "services": [{}]}, {**HEAD, "startedAt": 1}]
BAD_PARTS: list[Any] = [
    *BAD_HEADS,
    {**HEAD, "planned": [1]},
    {**HEAD, "planned": [{"service": "bots"}]},
    {**HEAD, "reports": [{"orphanCount": None}]},
]
BAD_FIGURES: list[Any] = [
    1,
    {},
    {"relationship": "a.b", "parent": "c", "orphanCount": "x", "childrenRead": 1, "ageS": 1},
]


def says(stub: Stub, path: str, value: Any) -> None:
    stub.answers["POST", PREFIX + path] = replies(200, value)


@pytest.mark.parametrize("bad", BAD_PARTS)
async def test_part_that_makes_no_sense_is_named_and_the_others_are_shown(platform: Any, admin: Any, bad: Any) -> None:
    says(platform.users, "records/read", {"audit": bad})
    says(platform.bots, "records/read", {"audit": HEAD})
    audit = (await admin.get(f"{AUDITS}/{ID}")).json()
    assert (audit["isComplete"], [one["service"] for one in audit["unreachable"]]) == (False, ["users"])
    says(platform.bots, "records/read", {"audit": bad})
    problem(await admin.get(f"{AUDITS}/{ID}"), 503, "unavailable")


async def test_list_leaves_out_what_makes_no_sense(platform: Any, admin: Any) -> None:
    says(platform.users, "records/latest", {"audits": [*BAD_HEADS, HEAD]})
    says(platform.bots, "records/latest", {"audits": 7})
    assert [one["auditId"] for one in (await admin.get(AUDITS)).json()["items"]] == [ID]


async def test_sweeper_finds_what_stands_still_behind_what_makes_no_sense(platform: Any, eventually: Any) -> None:
    for stub in (platform.users, platform.bots):
        says(stub, "records/running", {"audits": [*BAD_HEADS, HEAD], "figures": BAD_FIGURES})
    async with platform.gateway(audit_sweep_interval_s=0.05, audit_idle_s=0.25):
        for stub in (platform.users, platform.bots):
            (beat, *_) = await eventually(lambda stub=stub: stub.to(PREFIX + "records/beat"))
            assert (beat.json["auditId"], beat.json["beat"]) == (ID, 3)


async def test_page_that_leads_to_itself_does_not_keep_an_audit_for_ever(
    platform: Any, admin: Any, eventually: Any
) -> None:
    says(platform.users, "registered", {"registered": []})
    for stub in (platform.users, platform.bots):
        says(stub, "records/begin", {"isNew": True})
        says(stub, "records/read", {"audit": None})
        says(stub, "children", {"children": [], "last": "a"})
    assert (await admin.post(AUDITS, json={"relationships": [USER["relationship"]]})).status_code == 202
    (saved, *_) = await eventually(lambda: platform.bots.to(PREFIX + "records/save"))
    assert not saved.json["report"]["isComplete"]
    assert "bots cannot be asked" in saved.json["report"]["reason"]


@pytest.mark.parametrize("child", [None, 7, {}, {"id": "b", "names": 1, "match": {}}])
async def test_repair_removes_nothing_that_it_was_not_shown(platform: Any, admin: Any, child: Any) -> None:
    says(platform.bots, "records/read", {"audit": HEAD})
    says(platform.bots, "repair/look", {"state": "as-reported", "child": child})
    says(platform.bots, "closure", {"epoch": "x"})
    named = {"relationship": USER["relationship"], "childId": "b", "parentId": "u"}
    items = [{**named, "action": action} for action in ("remove", "raise-epoch")]
    answer = await admin.post(f"{AUDITS}/{ID}/repairs", json={"items": items})
    assert [one["code"] for one in answer.json()["items"]] == ["unreachable", "unreachable"]
    assert platform.bots.to(PREFIX + "repair") == []
