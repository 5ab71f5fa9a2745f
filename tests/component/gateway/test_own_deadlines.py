"""The gateway's own operations end in time, whoever stands still, and say truly how far they came."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from api import problem
from audits import AUDITS
from stub_platform import ADMIN
from stub_registry import PREFIX as RELATIONSHIPS
from stub_registry import StubRegistries
from stub_services import Seen, replies

from kit.ids import new_id

pytestmark = pytest.mark.anyio

ID = new_id()
AUDIT = "/internal/references/audit/"
NAMED = {"relationship": "trading_bots.userId", "parentId": "u"}
TIMEOUT_S = 2.0
HEAD = {
    "auditId": ID,
    "planned": [],
    "services": [],
    "unknown": [],
    "startedAt": "2026-11-01T00:00:00.000Z",
    "state": "running",
    "beat": 3,
    "orphanCount": 0,
    "reports": [],
}


async def stands_still(_: Seen, __: Callable[..., Awaitable[None]]) -> None:
    """As a process that was stopped: it takes the request, and never answers."""
    await asyncio.sleep(60)


@asynccontextmanager
async def quick(platform: Any, eventually: Any) -> Any:
    async with platform.gateway(request_timeout_s=TIMEOUT_S, audit_sweep_interval_s=600) as client:
        await eventually(lambda: not platform.catalogue.missing)
        client.headers["authorization"] = f"Bearer {platform.token(ADMIN, 'admin')}"
        yield client


def audited(platform: Any) -> None:
    """An orphan of bots, as it was reported; the audit is kept by bots, and users stands still when asked for it."""
    bots, users = platform.bots.answers, platform.users.answers
    bots["POST", AUDIT + "records/read"] = replies(200, {"audit": HEAD})
    users["POST", AUDIT + "records/read"] = stands_still
    child = {"id": "b", "names": ["u"], "match": {}}
    bots["POST", AUDIT + "repair/look"] = replies(200, {"state": "as-reported", "child": child})
    bots["POST", AUDIT + "closure"] = replies(200, {"epoch": 4})
    users["POST", AUDIT + "parents"] = replies(200, {"parents": []})


async def repaired(client: Any, *actions: str) -> list[dict[str, Any]]:
    items = [{**NAMED, "action": one, **({} if one == "raise-epoch" else {"childId": "b"})} for one in actions]
    began = time.monotonic()
    answer = await client.post(f"{AUDITS}/{ID}/repairs", json={"items": items})
    assert answer.status_code == 200, answer.text
    assert time.monotonic() - began < 2 * TIMEOUT_S
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_repairs_that_nobody_confirms_in_time_change_nothing(
    platform: Any, registries: StubRegistries, eventually: Any
) -> None:
    audited(platform)
    platform.users.answers["POST", AUDIT + "parents"] = stands_still
    async with quick(platform, eventually) as client:
        done = await repaired(client, *["remove"] * 10, *["raise-epoch"] * 2)
    assert {(one["result"], one["code"]) for one in done} == {("not-repaired", "unreachable")}
    assert all("nothing was changed" in one["detail"].lower() for one in done)
    assert platform.bots.to(AUDIT + "repair") == []
    assert len(platform.users.to(AUDIT + "parents")) <= 8, "what there is no time for is not begun"


@pytest.mark.parametrize("action", ["remove", "raise-epoch"])
async def test_repair_that_was_ordered_and_not_answered_is_told_to_be_unknown(
    platform: Any, registries: StubRegistries, eventually: Any, action: str
) -> None:
    audited(platform)
    platform.bots.answers["POST", AUDIT + "repair"] = stands_still
    platform.users.answers["POST", AUDIT + "raise-epoch"] = stands_still
    async with quick(platform, eventually) as client:
        done = await repaired(client, *[action] * 6)
    assert [one["code"] for one in done] == ["unknown-outcome"] * 4 + ["unreachable"] * 2


async def test_refusal_to_repair_is_told_as_one(platform: Any, registries: StubRegistries, eventually: Any) -> None:
    audited(platform)
    refusal = {"code": "invalid-request", "status": 422, "detail": "It has too many parts."}
    platform.bots.answers["POST", AUDIT + "repair"] = replies(422, refusal)
    async with quick(platform, eventually) as client:
        (done,) = await repaired(client, "quarantine")
    assert (done["code"], done["detail"]) == ("refused", "it answers 422: It has too many parts.")


async def test_child_is_removed_only_with_the_values_that_its_parent_was_compared_with(
    platform: Any, registries: StubRegistries, eventually: Any
) -> None:
    audited(platform)
    child = {"id": "b", "names": ["u"], "match": {"tier": "gold"}}
    platform.bots.answers["POST", AUDIT + "repair/look"] = replies(200, {"state": "as-reported", "child": child})
    platform.bots.answers["POST", AUDIT + "repair"] = replies(200, {"result": "removed", "deletionId": None})
    async with quick(platform, eventually) as client:
        await repaired(client, "remove")
    (ordered,) = platform.bots.to(AUDIT + "repair")
    assert ordered.json["match"] == {"tier": "gold"}


async def test_operation_that_takes_longer_than_a_request_may_is_504(
    platform: Any, registries: StubRegistries, eventually: Any
) -> None:
    platform.bots.answers["POST", AUDIT + "records/latest"] = stands_still
    async with quick(platform, eventually) as client:
        problem(await client.get(AUDITS), 504, "deadline-exceeded")
        described = (await client.get("/openapi.json")).json()["paths"]
    assert described[AUDITS]["get"]["responses"]["504"]["x-codes"] == ["deadline-exceeded"]


async def test_audit_is_begun_without_the_service_that_stands_still(
    platform: Any, registries: StubRegistries, eventually: Any
) -> None:
    platform.users.answers["POST", AUDIT + "records/begin"] = stands_still
    platform.bots.answers["POST", AUDIT + "records/begin"] = replies(200, {"isNew": True})
    async with quick(platform, eventually) as client:
        answer = await client.post(AUDITS, json={})
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("command", ["remove", "restore"])
async def test_command_names_every_owner_that_stands_still(
    platform: Any, registries: StubRegistries, eventually: Any, command: str
) -> None:
    for stub in (platform.users, platform.bots):
        stub.answers["POST", RELATIONSHIPS + command] = stands_still
    async with quick(platform, eventually) as client:
        path = "/v1/references/reward_logs.sourceId"
        answer = await (client.delete(path) if command == "remove" else client.post(f"{path}/restore"))
    said = problem(answer, 503, "unavailable")
    assert "repeat the command" in said["detail"]
    assert "not asked: bots: " in said["detail"]
    assert "not asked: users: " in said["detail"]
