"""What must be refused, each with its problem document."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from demo.api import check
from demo.cast import Stage
from demo.show import Show
from demo.staking import CREDIT
from demo.trading import bot_request

UNKNOWN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def show_refusals(show: Show, stage: Stage) -> None:
    show.chapter("What is refused")
    unknown = _refused_reference(show, stage, "a bot on an unknown account", {"exchangeAccountId": UNKNOWN_ID})
    foreign_id = stage.stranger.account_id
    foreign = _refused_reference(show, stage, "a bot on somebody else's account", {"exchangeAccountId": foreign_id})
    with show.step("the two answers tell nothing apart") as step:
        check(_comparable(unknown) == _comparable(foreign), "they differ")
        step.note = "equal but for the request id"
    _refused_reference(show, stage, "a bot on an unknown pair", {"marketPair": "NOPE/USDT"})
    taken = {"name": stage.bots["holder"]["name"]}
    refusal = _Refusal("/v1/bots", _bot(stage, taken), 409, "already-exists", "/name")
    _refused(show, stage, "a bot name that is taken", refusal)
    stake = {"poolId": stage.pool["poolId"], "amount": str(Decimal(CREDIT) * 2)}
    refusal = _Refusal("/v1/staking/stakes", stake, 409, "insufficient-balance")
    _refused(show, stage, "a stake of more than there is", refusal)
    _show_illegal_transition(show, stage)
    _show_repetition(show, stage)


def _show_illegal_transition(show: Show, stage: Stage) -> None:
    path = f"/v1/bots/{stage.bots['holder']['botId']}/archive"
    refusal = _Refusal(path, {"reason": "demo"}, 409, "illegal-transition")
    problem = _refused(show, stage, "archiving a running bot", refusal)
    with show.step("the answer names what is allowed instead") as step:
        check(problem["from"] == "running" and problem["action"] == "archive", f"it says {problem}")
        check("stop" in problem["allowed"], f"stop is not among {problem['allowed']}")
        step.note = ", ".join(problem["allowed"])


def _show_repetition(show: Show, stage: Stage) -> None:
    api, key = stage.trader.api, secrets.token_hex(16)
    body = _bot(stage, {"name": f"once {stage.run}"})
    with show.step("a POST repeated with its Idempotency-Key") as step:
        first = api.answer("/v1/bots", body, key=key)
        second = api.answer("/v1/bots", body, key=key)
        check(first.status_code == second.status_code == 201, f"{first.status_code} and {second.status_code}")
        check(first.json() == second.json(), "the second answer is another one")
        check(second.headers.get("idempotency-replayed") == "true", "it does not say that it was replayed")
        named = [bot for bot in api.items("/v1/bots") if bot["name"] == body["name"]]
        check(len(named) == 1, f"{len(named)} bots were made")
        step.note = "one bot, the first answer replayed"
    other = {**body, "name": f"another {stage.run}"}
    refusal = _Refusal("/v1/bots", other, 422, "idempotency-mismatch", key=key)
    _refused(show, stage, "another body with the same key", refusal)


def _bot(stage: Stage, changed: Mapping[str, Any]) -> dict[str, Any]:
    return {**bot_request(stage, f"refused {secrets.token_hex(2)}", "BTC/USDT", Decimal(1000), "USDT"), **changed}


def _refused_reference(show: Show, stage: Stage, title: str, changed: Mapping[str, str]) -> dict[str, Any]:
    pointer = f"/{next(iter(changed))}"
    refusal = _Refusal("/v1/bots", _bot(stage, changed), 422, "reference-not-found", pointer)
    return _refused(show, stage, title, refusal)


@dataclass(frozen=True)
class _Refusal:
    """A POST and the answer that it must get."""

    path: str
    body: Any
    status: int
    code: str
    pointer: str | None = None
    key: str | None = None


def _refused(show: Show, stage: Stage, title: str, wanted: _Refusal) -> dict[str, Any]:
    status, code, pointer = wanted.status, wanted.code, wanted.pointer
    with show.step(title) as step:
        problem = stage.trader.api.refused(wanted.path, wanted.body, status, code, key=wanted.key)
        pointers = [error["pointer"] for error in problem.get("errors", [])]
        check(pointer is None or pointers == [pointer], f"it points at {pointers}, not at {pointer}")
        step.note = f"{status} {code} {pointer or ''}".rstrip()
    show.problem(problem)
    return problem


def _comparable(problem: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in problem.items() if name != "requestId"}
