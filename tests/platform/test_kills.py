"""kill -9 under load: nothing that was acknowledged is missing afterwards, and no process is left over."""

import os
import signal
import time

import pytest
from load import Load
from processes import processes_of, until

from deploy.local.background import BackgroundPlatform

BEFORE_S = 1.5
AFTER = 20
VICTIMS = ("store", "bots", "users", "gateway")


def grows(load: Load, by: int) -> None:
    wanted = len(load.kept) + by
    until(lambda: len(load.kept) >= wanted, f"{by} more creates were not acknowledged", 60)


@pytest.mark.parametrize("victim", VICTIMS)
def test_killed_process_loses_nothing_that_was_acknowledged(platform: BackgroundPlatform, victim: str) -> None:
    with Load.on(platform.gateway_url, platform.admin) as load:
        grows(load, AFTER)
        time.sleep(BEFORE_S)
        assert platform.state is not None
        os.kill(platform.state.pids[victim], signal.SIGKILL)
        until(lambda: f"{victim} is ready again" in platform.log.read_text(), f"{victim} did not come back", 40)
        grows(load, AFTER)
    assert load.missing() == set()


def test_killed_supervisor_takes_everything_with_it_and_loses_nothing(platform: BackgroundPlatform) -> None:
    with Load.on(platform.gateway_url, platform.admin) as load:
        grows(load, AFTER)
        time.sleep(BEFORE_S)
        assert platform.process is not None
        platform.process.kill()
        platform.process.wait()
        took = until(lambda: not processes_of(platform.data_folder), "processes were left over", 5)
        assert took < 5
        platform.start()
        grows(load, AFTER)
    assert load.missing() == set()


def test_two_kills_in_a_row_are_survived(platform: BackgroundPlatform) -> None:
    with Load.on(platform.gateway_url, platform.admin) as load:
        for _ in range(2):
            grows(load, AFTER)
            assert platform.process is not None
            platform.process.kill()
            platform.process.wait()
            platform.start()
        grows(load, AFTER)
    assert load.missing() == set()
