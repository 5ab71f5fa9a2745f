import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.local.lock import AlreadyRunningError, RunningState, hold_lock, running_state

ROOT = Path(__file__).parents[3]
STATE = RunningState(pid=7, started_at="2026-11-23T10:00:00+00:00", addresses={"gateway": "http://127.0.0.1:8080"})
HOLDER = """
import sys, time
from pathlib import Path
from deploy.local.lock import RunningState, hold_lock
with hold_lock(Path(sys.argv[1])) as lock:
    lock.publish(RunningState(pid=1, started_at=""))
    print("held", flush=True)
    time.sleep(60)
"""


def test_second_supervisor_learns_about_the_first(tmp_path: Path) -> None:
    with hold_lock(tmp_path) as lock:
        lock.publish(STATE)
        with pytest.raises(AlreadyRunningError) as refused, hold_lock(tmp_path):
            pass
        assert refused.value.state == STATE
        assert running_state(tmp_path) == STATE


def test_lock_is_free_again_after_its_holder(tmp_path: Path) -> None:
    with hold_lock(tmp_path) as lock:
        lock.publish(STATE)
    assert running_state(tmp_path) is None
    with hold_lock(tmp_path):
        pass


def test_nothing_runs_on_an_unknown_folder(tmp_path: Path) -> None:
    assert running_state(tmp_path / "none") is None


def test_what_a_killed_supervisor_left_written_counts_as_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert running_state(tmp_path) is not None
        holder.kill()
        holder.wait()
    assert running_state(tmp_path) is None
    with hold_lock(tmp_path):
        pass


def test_newer_state_replaces_a_longer_one(tmp_path: Path) -> None:
    with hold_lock(tmp_path) as lock:
        lock.publish(STATE)
        shorter = RunningState(pid=os.getpid(), started_at="")
        lock.publish(shorter)
        began = time.monotonic()
        assert running_state(tmp_path) == shorter
        assert time.monotonic() - began < 1
