"""One supervisor per data folder: a lock that the system takes back when its holder ends, however it ends."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

FILE_NAME = "supervisor.json"
LOCK_TRIES = 5
LOCK_PAUSE_S = 0.05


@dataclass
class RunningState:
    """What a supervisor tells the commands that come after it."""

    pid: int
    started_at: str
    ready: bool = False
    addresses: dict[str, str] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)


_STATE = TypeAdapter(RunningState)


class AlreadyRunningError(Exception):
    """Another supervisor holds this data folder."""

    def __init__(self, state: RunningState | None) -> None:
        super().__init__("a platform already runs on this data folder")
        self.state = state


class RunLock:
    """The held lock, whose file carries the state."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def publish(self, state: RunningState) -> None:
        content = json.dumps(asdict(state), indent=1).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, content, 0)


@contextmanager
def hold_lock(data_folder: Path) -> Iterator[RunLock]:
    """Hold the data folder until the end of the block."""
    path = _path(data_folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not _acquired(descriptor):
            raise AlreadyRunningError(_read(path))
        os.ftruncate(descriptor, 0)
        yield RunLock(descriptor)
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _acquired(descriptor: int) -> bool:
    for _ in range(LOCK_TRIES):  # somebody who only looks holds a shared lock for an instant
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE_S)
        else:
            return True
    return False


def running_state(data_folder: Path) -> RunningState | None:
    """What runs on this data folder; None if nothing holds it, whatever a killed supervisor left written."""
    path = _path(data_folder)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(path)
    else:
        return None
    finally:
        os.close(descriptor)


def _path(data_folder: Path) -> Path:
    return data_folder / "run" / FILE_NAME


def _read(path: Path) -> RunningState | None:
    for _ in range(LOCK_TRIES):  # it may be half written at this instant
        try:
            return _STATE.validate_json(path.read_bytes())
        except (OSError, ValidationError):
            time.sleep(LOCK_PAUSE_S)
    return None
