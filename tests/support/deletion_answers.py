"""The answers that a coordinator of deletes gets, hand-written, for tests of its core."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.deletion.core import Core
from gateway.deletion.steps import Answer, Call, Progress, Referring, Standing, Steps

BOTS = Referring("bots.userId", "bots", "CASCADE")
ACCOUNTS = Referring("accounts.userId", "users", "CASCADE")
STAKES = Referring("stakes.userId", "staking", "RESTRICT")
LAMPS = Referring("lamps.userId", "bots", "SET_NULL")
BOT_ACCOUNT = Referring("bots.accountId", "bots", "RESTRICT")
BY_NAME: dict[str, Referring] = {one.relationship: one for one in (BOTS, ACCOUNTS, STAKES, LAMPS, BOT_ACCOUNT)}
BLOCK = {"relationship": "stakes.userId", "count": 2, "ids": ["s1"]}
Say = Answer | Callable[[Call], Answer] | list[Answer]


def standing(state: str = "deleting", *relationships: Referring, epoch: int = 1, fresh: bool = False) -> Standing:
    return Standing(state, "users.1", "users", "alice", epoch, relationships, fresh=fresh)


def said(state: str, *relationships: Referring, epoch: int = 1, fresh: bool = False) -> Answer:
    """A standing as the owner answers it."""
    return {
        "state": state,
        "deletionId": "users.1",
        "entity": "users",
        "id": "alice",
        "epoch": epoch,
        "relationships": [one.body() for one in relationships],
        "blockedBy": [],
        "other": None,
        "fresh": fresh,
        "progress": {},
    }


def closed(*blocked: Mapping[str, Any], stale: Sequence[str] = (), rules: Sequence[Any] = ()) -> Answer:
    return {"stale": list(stale), "blockedBy": list(blocked), "rules": list(rules)}


def applied(*forced: str, child: str = "bots", more: bool = False, relationships: Any = (), **counts: int) -> Answer:
    return {
        "child": child,
        "setNull": counts.get("set_null", 0),
        "removed": counts.get("removed", 0),
        "forced": [{"id": one, "epoch": 1} for one in forced],
        "relationships": [one.body() for one in relationships],
        "more": more,
    }


USUAL: dict[str, Say] = {
    "deletions/purge": lambda call: said("purging", *(BY_NAME[one["relationship"]] for one in call.body["plan"])),
    "deletions/refuse": said("refused", epoch=2),
    "deletions/finish": said("done"),
    "children/close": closed(),
    "children/reopen": {},
    "children/apply": applied(),
    "children/look": {"left": []},
    "children/remove": {"removed": 0},
}


@dataclass
class Run:
    """Answers the core's calls by their path; those of a list one after the other, the last one again."""

    answers: Mapping[str, Say] = field(default_factory=dict)
    order: Callable[[Sequence[Referring]], Sequence[Referring]] = list
    batches: list[list[Call]] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self._said = {**USUAL, **self.answers}
        self._told: dict[str, int] = {}
        self.core = Core(self.order, self.progress)

    def run(self, begin: Standing) -> Standing:
        ended: Standing = self.drive(self.core.run(begin))
        return ended

    def drive(self, steps: Steps[Any]) -> Any:
        try:
            calls = next(steps)
            while True:
                self.batches.append(list(calls))
                calls = steps.send([self._answer(call) for call in calls])
        except StopIteration as ended:
            return ended.value

    def _answer(self, call: Call) -> Answer:
        one = self._said[call.path]
        if isinstance(one, list):
            place = self._told.get(call.path, 0)
            self._told[call.path] = place + 1
            return one[min(place, len(one) - 1)]
        return one(call) if callable(one) else one

    @property
    def paths(self) -> list[str]:
        return [call.path for batch in self.batches for call in batch]

    def bodies(self, path: str) -> list[Mapping[str, Any]]:
        return [call.body for batch in self.batches for call in batch if call.path == path]
