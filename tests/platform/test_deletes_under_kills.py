"""Each process kills itself at each step of a delete, or is killed from outside, while clients create and delete: it is
started again, and every delete comes to its end, nothing dangles, no promise is broken.

Two gateways, two replicas of users and of bots. In each round one of each has a point, and the others go on."""

import sys
from collections.abc import Iterator
from itertools import zip_longest

import pytest
from parts import STORE, Parts
from siege import OUTSIDE, Round, Siege

from deploy.local.plan import GATEWAY

COORDINATED = (
    *("plan", "count", "begin", "close", "refuse", "reopen", "purge", "apply", "look", "remove", "finish"),
    *("resume", "report"),
)
GATEWAY_POINTS = tuple(f"coordinator:{step}" for step in COORDINATED)
OWNER_POINTS = (
    *("begin:begin", "begin:recorded", "begin:done", "refuse:begin", "refuse:done", "purge:begin", "purge:done"),
    *("finish:begin", "finish:removed", "finish:done", "report:begin", "report:done"),
)
CHILD_POINTS = (
    *("close:begin", "close:written", "close:voided", "close:done", "apply:begin", "apply:forced", "apply:done"),
    *("look:begin", "look:done", "remove:begin", "remove:removed", "remove:done", "reopen:begin", "reopen:done"),
)
KINDS = {GATEWAY: GATEWAY_POINTS, "users": OWNER_POINTS, "bots": CHILD_POINTS}
POINTS = tuple(point for points in KINDS.values() for point in points)
VICTIMS = ("users.1", "bots.2", "staking", "gateway.1")
# Quick to give up on a process that is gone, and to take over what it left.
SETTINGS = {
    "REQUEST_TIMEOUT_S": "8",
    "DELETE_WAIT_S": "3",
    "DELETE_STEP_TIMEOUT_S": "5",
    "DELETE_SWEEP_INTERVAL_S": "0.5",
    "DELETE_IDLE_S": "1.5",
}


@pytest.fixture(scope="module")
def rounds(store_url: str | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Round]]:
    """All of them: each test looks at its own."""
    replicas = dict.fromkeys(KINDS, 2)
    planned = Parts(tmp_path_factory.mktemp("parts"), store_url=store_url, replicas=replicas, settings=SETTINGS)
    with planned.up() as parts:
        siege = Siege(parts)
        for number, points in enumerate(zip_longest(*KINDS.values())):
            names = [f"{kind}.{1 + number % 2}" for kind in KINDS]
            siege.run_points({name: point for name, point in zip(names, points, strict=True) if point})
        siege.run_outside(VICTIMS)
        if store_url is None:
            siege.run_outside([STORE])
        for number, one in enumerate(siege.rounds, start=1):
            sys.stdout.write(f"round {number}: {one}\n")
        yield siege.rounds


@pytest.mark.parametrize("point", POINTS)
def test_process_that_dies_there_leaves_nothing_behind(rounds: list[Round], point: str) -> None:
    its = [one for one in rounds if point in {at for _, at in one.kills}]
    assert len(its) == 1
    assert its[0].faults == []


def test_process_that_is_killed_from_outside_leaves_nothing_behind(rounds: list[Round]) -> None:
    its = [one for one in rounds if OUTSIDE in {at for _, at in one.kills}]
    assert {victim for one in its for victim, _ in one.kills} >= set(VICTIMS)
    assert [one.faults for one in its] == [[]] * len(its)


def test_every_kind_of_outcome_was_met(rounds: list[Round]) -> None:
    told = sum((one.told for one in rounds), start=type(rounds[0].told)())
    for what in ("create: 201", "create: 409 reference-closed", "create: 422 reference-not-found"):
        assert told[what], told
    for what in ("delete user: 204", "delete user: 409 delete-restricted", "delete account: 409 delete-restricted"):
        assert told[what], told
