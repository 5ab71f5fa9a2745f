"""Audits over the public API: an orphan that somebody planted behind the platform's back is found, and repaired."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from api import UNKNOWN_ID, Api, pointers, problem
from direct_store import DirectStore
from platforms import Platform
from scenes import bot

from kit.ids import new_id

AUDITS = "/v1/integrity/audits"
BOT_USER = "trading_bots.userId"
ENDED_S = 60.0


@pytest.fixture
def bots(platform: Platform) -> DirectStore:
    return DirectStore(platform, "bots")


@pytest.fixture
def planted(bots: DirectStore, trader: Api) -> Iterator[dict[str, Any]]:
    """A bot like another, but of nobody."""
    row = bots.find_one("trading_bots", _id=bot(trader)["botId"])
    assert row is not None
    orphan = {**row, "_id": new_id(), "userId": UNKNOWN_ID, "name": "planted"}
    bots.insert("trading_bots", dict(orphan))
    yield orphan
    bots.delete("trading_bots", _id=orphan["_id"])


def audited(admin: Api, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """An audit from its beginning to its end."""
    begun = admin.post(AUDITS, body or {})
    assert begun.status_code == 202, begun.text
    give_up_at = time.monotonic() + ENDED_S
    while time.monotonic() < give_up_at:
        audit = admin.fetched(begun.headers["location"])
        if audit["state"] != "running":
            return audit
        time.sleep(0.1)
    raise AssertionError("the audit did not end in time")


def orphans(audit: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {one["relationship"]: one["orphans"] for one in audit["relationships"] if one["orphans"]}


def test_platform_without_a_planted_orphan_has_none(admin: Api, trader: Api) -> None:
    bot(trader)
    audit = audited(admin)
    assert (audit["state"], audit["orphanCount"], orphans(audit)) == ("done", 0, {})
    assert audit["isComplete"], [one for one in audit["relationships"] if not one["isComplete"]]
    read = {(one["relationship"], one["parent"]): one["childrenRead"] for one in audit["relationships"]}
    assert read[BOT_USER, "users"] > 0
    assert {("user_stakes.poolId", "staking_pools"), ("bot_events.botId", "trading_bots")} <= read.keys()
    assert AUDITS in admin.fetched("/openapi.json")["paths"]


def test_planted_orphan_is_found_and_repaired(admin: Api, bots: DirectStore, planted: dict[str, Any]) -> None:
    audit = audited(admin, {"relationships": [BOT_USER]})
    found = {"childId": planted["_id"], "parentId": UNKNOWN_ID, "reason": "absent"}
    assert orphans(audit) == {BOT_USER: [found]}
    item = {
        "relationship": BOT_USER,
        "childId": planted["_id"],
        "parentId": UNKNOWN_ID,
        "action": "quarantine",
    }
    done = admin.made(f"{AUDITS}/{audit['auditId']}/repairs", {"items": [item]})["items"]
    assert done[0]["result"] in ("quarantined", "deleting"), done[0]["detail"]
    give_up_at = time.monotonic() + ENDED_S
    while bots.find_one("trading_bots", _id=planted["_id"]) is not None and time.monotonic() < give_up_at:
        time.sleep(0.1)
    assert orphans(audited(admin, {"relationships": [BOT_USER]})) == {}
    kept = bots.find_one("reference_quarantine", _id=f"{BOT_USER}|{planted['_id']}")
    assert kept is not None
    assert (kept["row"]["name"], kept["by"]) == ("planted", admin.user_id)
    again = admin.made(f"{AUDITS}/{audit['auditId']}/repairs", {"items": [item]})["items"]
    assert again[0]["result"] == "gone"


def test_bot_of_somebody_is_not_repaired_away(admin: Api, trader: Api) -> None:
    made = bot(trader)
    audit = audited(admin, {"relationships": [BOT_USER]})
    item = {"relationship": BOT_USER, "childId": made["botId"], "parentId": trader.user_id, "action": "remove"}
    (done,) = admin.made(f"{AUDITS}/{audit['auditId']}/repairs", {"items": [item]})["items"]
    assert (done["result"], done["code"]) == ("not-repaired", "parent-exists")
    assert trader.fetched(f"/v1/bots/{made['botId']}")["botId"] == made["botId"]


def test_audits_are_for_admins_and_name_what_is_wrong(admin: Api, trader: Api, anonymous: Api) -> None:
    problem(trader.post(AUDITS, {}), 403, "forbidden")
    problem(anonymous.get(AUDITS), 401, "unauthenticated")
    unknown = admin.post(AUDITS, {"relationships": [BOT_USER, "a.b"]})
    assert pointers(problem(unknown, 422, "invalid-request")) == {"/relationships/1"}
    problem(admin.get(f"{AUDITS}/{UNKNOWN_ID}"), 404, "not-found")


def test_relationships_are_validated_once_an_audit_found_them_whole(admin: Api) -> None:
    for _ in range(5):  # owners are told of relationships while the platform starts
        audited(admin)
        shown = {one["relationship"]: one["validated"] for one in admin.fetched("/v1/references")["references"]}
        if all(shown.values()):
            break
    assert all(shown.values()), shown
