"""Processes under measurement: start, wait, resident memory, processor time, stop."""

import contextlib
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.ports import free_ports

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.02
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    return free_ports(1)[0]


@dataclass
class Server:
    """A running process and how long it took to answer."""

    process: subprocess.Popen[bytes]
    url: str
    seconds_to_ready: float

    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and its children that are alive."""
        return sum(_cpu_seconds(pid) for pid in _family(self.process.pid))

    def resident_mib(self) -> float:
        """Resident memory of the process and its children."""
        return sum(_resident_bytes(pid) for pid in _family(self.process.pid)) / 2**20


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def reset_resident_peak(pid: int) -> None:
    """Let the kernel count the peak of a process's resident memory from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def resident_peak_mib(pid: int) -> float:
    """The most that was resident since the last reset."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextlib.contextmanager
def serving(
    command: list[str], url: str, *, ready: str, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run a server until the block ends; it must answer at `url + ready` in time."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(process, url + ready, started)
        yield Server(process, url, time.perf_counter() - started)
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], url: str, started: float) -> None:
    while time.perf_counter() - started < READY_TIMEOUT_S:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with status {process.returncode} before it was ready")
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # loopback
            if answer.status == 200:
                return
        time.sleep(POLL_S)
    raise RuntimeError(f"{process.args!r} was not ready after {READY_TIMEOUT_S:g} s")


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_TIMEOUT_S)
