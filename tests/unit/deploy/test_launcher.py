"""A launched program never outlives whoever launched it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.local.process import LAUNCHER

PARENT = """
import os, subprocess, sys
launcher, number = sys.argv[1:]
program = [sys.executable, "-c", "import time; time.sleep(60)"]
child = subprocess.Popen([sys.executable, launcher, str(os.getpid()), number, *program], start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_program_ends_with_a_killed_parent(number: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT, str(LAUNCHER), str(int(number))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(0.3)  # until the launcher has become the program
        assert is_alive(child)
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 5
        while is_alive(child) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not is_alive(child)


def test_program_of_a_parent_that_is_gone_already_does_not_start() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    command = [sys.executable, str(LAUNCHER), str(gone.pid), "9", sys.executable, "-c", "print('started')"]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, b"")


def test_program_that_is_missing_is_named() -> None:
    command = [sys.executable, str(LAUNCHER), str(os.getpid()), "9", "no-such-program"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "no-such-program: No such file or directory" in ended.stderr
