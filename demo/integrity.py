"""An orphan is planted behind the platform's back, found by an audit, and repaired."""

import asyncio
import time
from typing import Any

from demo.api import Api, check
from demo.cast import Stage
from demo.show import Show, StepFailedError
from demo.target import Target
from kit.ids import new_id
from kit.store import StoreClient

AUDITS = "/v1/integrity/audits"
RELATIONSHIP = "trading_bots.exchangeAccountId"
FOLLOW_S = 180.0
POLL_S = 0.3


def show_integrity(show: Show, stage: Stage, platform: Target) -> None:
    show.chapter("Integrity")
    if platform.store_url is None:
        show.say("   the store of this platform isn't known here, so no orphan is planted", "yellow")
        return
    with show.step("a bot is written on an account that isn't there") as step:
        bot_id, account_id = asyncio.run(_plant(platform.store_url, platform.database("bots"), stage))
        step.note = "into the store itself: no API would take it"
    with show.step("an audit finds it") as step:
        audit = _audited(stage.admin)
        orphans = _orphans(audit)
        check(audit["orphanCount"] == 1 and orphans == [(bot_id, account_id)], f"it found {orphans}")
        read = sum(one["childrenRead"] for one in audit["relationships"])
        step.note = (
            f"1 orphan among {read} references over {len(audit['relationships'])} relationships, looked at twice"
        )
    with show.step("the admin has it removed") as step:
        item = {"relationship": RELATIONSHIP, "childId": bot_id, "parentId": account_id, "action": "remove"}
        repaired = stage.admin.post(f"{AUDITS}/{audit['auditId']}/repairs", {"items": [item]}, status=200)
        results = [one["result"] for one in repaired["items"]]
        check(results == ["deleting"], f"the repair was answered {repaired['items']}")
        step.note = "its delete began, with all that goes with it"
    with show.step("another audit finds none") as step:
        audit = _audited(stage.admin)
        check(audit["orphanCount"] == 0, f"it found {_orphans(audit)}")
        check(stage.admin.status(f"/v1/bots/{bot_id}") == 404, "the orphan is still there")
        step.note = "0 orphans"


def _orphans(audit: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["childId"], one["parentId"]) for said in audit["relationships"] for one in said["orphans"]]


def _audited(admin: Api) -> dict[str, Any]:
    """An audit of everything, followed to its end. A suspect is looked at again before it counts."""
    answer = admin.answer(AUDITS, {})
    check(answer.status_code == 202, f"an audit was answered {answer.status_code}: {answer.text}")
    give_up_at = time.monotonic() + FOLLOW_S
    while time.monotonic() < give_up_at:
        audit = admin.get(answer.headers["Location"])
        if audit["state"] != "running":
            check(audit["state"] == "done", f"the audit ended {audit['state']}: {audit}")
            return audit
        time.sleep(POLL_S)
    raise StepFailedError(f"the audit has not ended within {FOLLOW_S:g} s")


async def _plant(store_url: str, database: str, stage: Stage) -> tuple[str, str]:
    """A copy of a bot that names no account."""
    client = await StoreClient.connect(store_url)
    try:
        rows = client.database(database).rows("trading_bots")
        row = await rows.find_one({"_id": stage.bots["holder"]["botId"]})
        if row is None:
            raise StepFailedError("the bot to copy is not in the store")
        bot_id, account_id = new_id(), new_id()
        fields = {"_id": bot_id, "exchangeAccountId": account_id, "name": f"planted {stage.run}", "status": "stopped"}
        await rows.insert({**row, **fields})
    finally:
        await client.close()
    return bot_id, account_id
