"""Audits and repairs over services whose words make no sense: left out with the reason, never guessed."""

import asyncio
from typing import Any

import pytest
from api import problem
from audits import AUDITS
from structlog.testing import capture_logs
from stub_services import Stub, replies

from gateway.beats import Beats
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
BAD_HEADS: list[Any] = [
    7,
    [],
    {},
    {**HEAD, "beat": "x"},
    {**HEAD, "services": [{}]},
    {**HEAD, "startedAt": 1},
    {**HEAD, "state": "done"},
]
BAD_PLANS: list[Any] = [
    {**HEAD, "planned": None},
    {**HEAD, "planned": [1]},
    {**HEAD, "planned": [{"service": "bots"}]},
    {**HEAD, "asked": [1]},
]
BAD_PARTS: list[Any] = [
    *BAD_HEADS,
    *BAD_PLANS,
    {**HEAD, "reports": [{"orphanCount": None}]},
    {**HEAD, "owner": 7},
    {**HEAD, "owner": {}},
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
        listed = [*BAD_HEADS, *({**one, "auditId": new_id()} for one in BAD_PLANS), HEAD]
        says(stub, "records/running", {"audits": listed, "figures": BAD_FIGURES})
        says(stub, "records/beat", {"isHeld": True})
    async with platform.gateway(audit_sweep_interval_s=0.05, audit_idle_s=0.25):
        for stub in (platform.users, platform.bots):
            (beat, *_) = await eventually(lambda stub=stub: stub.to(PREFIX + "records/beat"))
            assert (beat.json["auditId"], beat.json["beat"]) == (ID, 3)


async def test_part_that_meets_a_bug_does_not_keep_the_others_from_being_driven(
    platform: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = {**HEAD, "auditId": new_id()}
    idle_s = Beats[Any].idle_s

    def broken(beats: Beats[Any], key: tuple[str, str], beat: int) -> float:
        if key[0] == bad["auditId"]:
            raise RuntimeError("a bug")
        return idle_s(beats, key, beat)

    monkeypatch.setattr(Beats, "idle_s", broken)
    says(platform.users, "records/running", {"audits": [bad, HEAD], "figures": []})
    async with platform.gateway(audit_sweep_interval_s=0.05, audit_idle_s=0.25):
        (beat, *_) = await eventually(lambda: platform.users.to(PREFIX + "records/beat"))
    assert beat.json["auditId"] == ID


WHOLE: dict[str, Any] = {**HEAD, "state": "done", "finishedAt": "2026-11-01T00:01:00.000Z"}
OWNER: dict[str, Any] = {"service": "bots", "isComplete": True, "reason": None}


@pytest.mark.parametrize(
    ("owner", "reason"),
    [
        (OWNER, None),
        ({**OWNER, "isComplete": False, "reason": "bots cannot be asked: it answers 404"}, "bots cannot be asked"),
        (None, "Not read."),
    ],
)
async def test_audit_is_complete_only_with_every_owner_read(
    platform: Any, admin: Any, owner: Any, reason: str | None
) -> None:
    report = {**USER, "orphanCount": 0, "isComplete": True}
    says(
        platform.users,
        "records/read",
        {"audit": {**WHOLE, "reports": [report], "owner": {**OWNER, "service": "users"}}},
    )
    says(platform.bots, "records/read", {"audit": {**WHOLE, "owner": owner}})
    audit = (await admin.get(f"{AUDITS}/{ID}")).json()
    (said,) = [one for one in audit["owners"] if one["service"] == "bots"]
    assert (audit["isComplete"], said["isComplete"]) == (reason is None, reason is None)
    assert reason is None or reason in said["reason"]


async def test_owner_whose_document_is_not_known_is_told_not_to_be_read(platform: Any, eventually: Any) -> None:
    platform.bots.document = {}
    says(platform.bots, "records/running", {"audits": [HEAD], "figures": []})
    says(platform.bots, "records/beat", {"isHeld": True})
    says(platform.bots, "records/read", {"audit": HEAD})
    async with platform.gateway(audit_sweep_interval_s=0.05, audit_idle_s=0.25):
        (finished, *_) = await eventually(lambda: platform.bots.to(PREFIX + "records/finish"))
    owner = finished.json["owner"]
    assert (owner["service"], owner["isComplete"], owner["stuckCount"]) == ("bots", False, 0)
    assert "not known" in owner["reason"]


@pytest.mark.parametrize(
    ("record", "logged"), [({**WHOLE}, "audit ended"), (HEAD, "audit overtaken"), (None, "audit ended")]
)
async def test_part_that_is_not_held_any_more_is_logged_as_what_it_is(
    platform: Any, eventually: Any, record: Any, logged: str
) -> None:
    says(platform.bots, "records/running", {"audits": [HEAD], "figures": []})
    says(platform.bots, "records/beat", {"isHeld": True})
    says(platform.bots, "registered", {"registered": []})

    async def stands_still(*_: Any) -> None:
        await asyncio.sleep(60)

    platform.bots.answers["POST", PREFIX + "in-deletion"] = stands_still
    with capture_logs() as lines:
        async with platform.gateway(audit_sweep_interval_s=0.05, audit_idle_s=0.25):
            await eventually(lambda: platform.bots.to(PREFIX + "in-deletion"))
            says(platform.bots, "records/beat", {"isHeld": False})
            says(platform.bots, "records/read", {"audit": record})
            found = await eventually(
                lambda: [one for one in lines if one["event"] in ("audit ended", "audit overtaken")]
            )
    assert found[0]["event"] == logged


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
