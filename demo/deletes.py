"""Deletes: one that is refused, one that takes others along, and one that is finished although its coordinator dies."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from demo import trading
from demo.api import Api, check
from demo.cast import Person, Stage
from demo.show import Show, StepFailedError
from demo.target import Target

BOTS_OF_LEAVER = 12
FOLLOW_S = 60.0
POLL_S = 0.2
COORDINATOR = "gateway"
CHILD = "staking"


def show_deletes(show: Show, stage: Stage, platform: Target) -> None:
    show.chapter("Deletes")
    _show_refused(show, stage)
    _show_cascade(show, stage, platform)
    if platform.pids():
        _show_killed_coordinator(show, stage, platform)
    else:
        show.say("   the processes of this platform aren't known here, so none is killed", "yellow")


def _show_refused(show: Show, stage: Stage) -> None:
    trader = stage.trader
    with show.step("Ada's account can't go while bots trade with it") as step:
        answer = trader.api.delete(f"/v1/exchange-accounts/{trader.account_id}", status=409)
        problem = answer.json()
        blocked = {one["relationship"]: one["count"] for one in problem["blockedBy"]}
        check(blocked == {"trading_bots.exchangeAccountId": 3}, f"it is blocked by {blocked}")
        step.note = "409, three bots in its way"
    show.problem(problem)
    with show.step("Ada herself can't go, with a history of tokens") as step:
        problem = trader.api.delete(f"/v1/users/{trader.user_id}", status=409).json()
        blocked = {one["relationship"]: one["count"] for one in problem["blockedBy"]}
        check("user_stakes.userId" in blocked, f"her stake does not block: {blocked}")
        step.note = f"409, {sum(blocked.values())} documents in the way"
    show.table(("refers to her", "documents"), sorted(blocked.items()))
    with show.step("nothing was changed by that") as step:
        bots = list(trader.api.items("/v1/bots"))
        check(len(bots) == 3 and trader.api.get("/v1/users/me")["status"] == "active", "something was")
        step.note = f"{len(bots)} bots, and a user who is active"


def _show_cascade(show: Show, stage: Stage, platform: Target) -> None:
    leaver = _leaver(show, stage, platform, "mallory")
    bots = list(leaver.api.items("/v1/bots"))
    with show.step(f"the user is deleted, with {len(bots)} bots and an account") as step:
        stage.admin.delete(f"/v1/users/{leaver.user_id}", status=204)
        step.note = "204: in three databases"
    with show.step("all of it is gone") as step:
        paths = [f"/v1/users/{leaver.user_id}", f"/v1/exchange-accounts/{leaver.account_id}"]
        paths += [f"/v1/bots/{bot['botId']}" for bot in bots]
        for path in paths:
            check(stage.admin.status(path) == 404, f"{path} is still there")
        step.note = f"{len(paths)} times 404"


def _show_killed_coordinator(show: Show, stage: Stage, platform: Target) -> None:
    leaver = _leaver(show, stage, platform, "trent")
    with _frozen(platform.pids()[CHILD]):
        with show.step(f"a delete begins while {CHILD} hangs") as step:
            headers = {"Prefer": "respond-async"}
            answer = stage.admin.delete(f"/v1/users/{leaver.user_id}", status=202, headers=headers)
            location = answer.headers["Location"]
            step.note = f"202, {answer.json()['state']}"
        killed = platform.pids()[COORDINATOR]
        with show.step("the gateway that coordinates it is killed (SIGKILL)") as step:
            os.kill(killed, signal.SIGKILL)
            step.note = f"process {killed}"
    with show.step("another one comes up and goes on with it") as step:
        deletion = _followed(stage.admin, location)
        check(deletion["state"] == "done", f"it ended {deletion['state']}: {deletion}")
        step.note = f"done, {deletion['progress'].get('removed', 0)} documents went with it"
    with show.step("nothing of the user is left") as step:
        left = list(stage.admin.items("/v1/bots", userId=leaver.user_id))
        check(not left and stage.admin.status(f"/v1/users/{leaver.user_id}") == 404, f"{len(left)} bots are")
        step.note = "no bot, no account, no user"


def _leaver(show: Show, stage: Stage, platform: Target, name: str) -> Person:
    """A user with an account and bots."""
    leaver = trading.sign_up(show, stage, platform.base_url, name)
    trading.link_account(show, leaver)
    with show.step(f"{name.title()} creates {BOTS_OF_LEAVER} bots"):
        for number in range(BOTS_OF_LEAVER):
            body = trading.bot_request(stage, f"{name} {number}", "ETH/BTC", trading.CURVE_CAPITAL, "BTC")
            leaver.api.post("/v1/bots", {**body, "exchangeAccountId": leaver.account_id}, status=201)
    return leaver


def _followed(admin: Api, location: str) -> dict[str, Any]:
    """The deletion when it has ended. The gateway may be starting."""
    give_up_at = time.monotonic() + FOLLOW_S
    while time.monotonic() < give_up_at:
        try:
            deletion = admin.get(location)
        except (httpx.HTTPError, StepFailedError):
            deletion = {}
        if deletion.get("finishedAt"):
            return deletion
        time.sleep(POLL_S)
    raise StepFailedError(f"the delete has not ended within {FOLLOW_S:g} s")


@contextmanager
def _frozen(pid: int) -> Iterator[None]:
    """There, but it does nothing; going on afterwards."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
