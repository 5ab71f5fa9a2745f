"""What is left of a platform's processes, seen from outside: /proc knows every process by its environment."""

import os
import time
from collections.abc import Callable
from pathlib import Path

POLL_S = 0.05


def processes_of(data_folder: Path) -> dict[int, str]:
    """The living processes that were started with this DATA_DIR, or on it: process id and command."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            is_zombie = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:  # it ended meanwhile
            continue
        if f"DATA_DIR={data_folder}\0".encode() in environment + b"\0" and not is_zombie:
            found[int(entry.name)] = command
    return found


def until(condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> float:
    """Wait until it holds; the seconds that took. Fails with `what` at the limit."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout_s:
            raise AssertionError(f"{what} within {timeout_s:g} s")
        time.sleep(POLL_S)
    return time.monotonic() - began
