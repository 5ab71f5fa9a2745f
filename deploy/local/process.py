"""One supervised process, in a process group of its own that ends with the supervisor."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from deploy.local.plan import ProcessPlan

LAUNCHER = Path(__file__).with_name("launcher.py")
LINE_BYTES_MAX = 1 << 20
READY_POLL_S = 0.05
READY_TIMEOUT_S = 2.0


class Child:
    """A process that can be started again after its end."""

    def __init__(self, plan: ProcessPlan, on_line: Callable[[str, str], None]) -> None:
        self.plan = plan
        self.started_at = 0.0
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def uptime_s(self) -> float:
        return time.monotonic() - self.started_at

    async def start(self) -> None:
        """Start it; must be called from the main thread, whose end would be the children's."""
        if self.plan.pid_file is not None:
            self.plan.pid_file.unlink(missing_ok=True)  # stale by now: nothing else runs on this data folder
        self.started_at = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-E", "-S", str(LAUNCHER), str(os.getpid()), str(int(signal.SIGKILL))),
            *self.plan.argv,
            env={**os.environ, **self.plan.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE_BYTES_MAX,
            start_new_session=True,
        )
        self._reader = asyncio.create_task(self._follow(self._process))

    async def wait(self) -> int:
        """Its exit status, once it has ended and its last lines are read; what it left in its group ends too."""
        if self._process is None:
            return 0
        status = await self._process.wait()
        self._signal(signal.SIGKILL)
        if self._reader is not None:
            await asyncio.wait([self._reader])  # which, unlike awaiting it, does not cancel it with us
        return status

    async def stop(self, grace_s: float) -> bool:
        """Ask it to end, then make it; whether asking was enough."""
        if self._process is None:
            return True
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), grace_s)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.wait()
            return False
        return True

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    async def answers(self, session: aiohttp.ClientSession) -> bool:
        """Whether it is ready now: its readiness says so, or without one its port takes connections."""
        plan = self.plan
        if plan.ready_path is None:
            return await _accepts(plan.host, plan.port)
        try:
            timeout = aiohttp.ClientTimeout(total=READY_TIMEOUT_S)
            async with session.get(plan.address + plan.ready_path, timeout=timeout) as answer:
                return answer.ok
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        stream = process.stdout
        if stream is None:
            return
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than any log line may be: dropped by the reader
                self._on_line(self.plan.name, f"(a line of more than {LINE_BYTES_MAX} bytes was dropped)")
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            if not (self.plan.unshown and self.plan.unshown in text):
                self._on_line(self.plan.name, text)


async def _accepts(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), READY_TIMEOUT_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def until_ready(child: Child, session: aiohttp.ClientSession) -> bool:
    """Wait until it answers; False if it ended first."""
    while child.running:
        if await child.answers(session):
            return True
        await asyncio.sleep(READY_POLL_S)
    return False
