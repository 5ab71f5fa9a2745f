"""A platform of its own beside whatever else runs, on free ports, in its own data folder: for the demo and tests."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.lock import RunningState, running_state
from deploy.local.plan import GATEWAY, SERVICES
from deploy.local.ports import free_ports_for
from deploy.local.process import LAUNCHER
from deploy.local.settings import LocalSettings

ROOT = Path(__file__).parents[2]
START_S = 90.0
STOP_S = 15.0
POLL_S = 0.05
LOG_LINES_SHOWN = 30
# What the caller's environment says about its own platform must not reach this one.
OTHERS = {*LocalSettings.model_fields, "services", "admin_email", "admin_password", "reference_consent"}


def inherited_environment() -> dict[str, str]:
    """The caller's environment without what it says about a platform."""
    return {name: value for name, value in os.environ.items() if name.lower() not in OTHERS}


class NotStartedError(Exception):
    """The platform did not come up; the message ends with the last lines of its log."""


@dataclass
class BackgroundPlatform:
    """May be started and stopped again and again, on the same ports and data."""

    data_folder: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def plan(cls, data_folder: Path, **settings: str) -> "BackgroundPlatform":
        """With free ports and a first admin of its own; `settings` are further environment variables."""
        replicas = {name: int(settings.get(f"{name.upper()}_REPLICAS", 1)) for name in (*SERVICES, GATEWAY, "store")}
        ports = {f"{name.upper()}_PORT": str(port) for name, port in free_ports_for(replicas).items()}
        own = {
            **ports,
            "DATA_DIR": str(data_folder),
            "ADMIN_EMAIL": "admin@omnitrade.example",
            "ADMIN_PASSWORD": secrets.token_urlsafe(24),
            **settings,
        }
        return cls(data_folder, {**inherited_environment(), **own})

    @property
    def admin(self) -> tuple[str, str]:
        """The first admin's e-mail address and password."""
        return self.environment["ADMIN_EMAIL"], self.environment["ADMIN_PASSWORD"]

    @property
    def gateway_url(self) -> str:
        return self._url(GATEWAY)

    @property
    def service_urls(self) -> dict[str, str]:
        return {name: self._url(name) for name in SERVICES}

    @property
    def state(self) -> RunningState | None:
        return running_state(self.data_folder)

    @property
    def log(self) -> Path:
        return self.data_folder / "up.log"

    def start(self) -> None:
        """Return when everything is ready; it ends with this process at the latest."""
        self.data_folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, str(LAUNCHER), str(os.getpid()), str(int(signal.SIGTERM))),
                    *(sys.executable, "-m", "deploy.local", "up"),
                ],
                cwd=ROOT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not (self.state and self.state.ready):
            if self.process.poll() is not None:
                raise NotStartedError(f"it ended with status {self.process.returncode}\n{self._last_lines()}")
            if time.monotonic() >= deadline:
                self.stop()
                raise NotStartedError(f"it was not ready within {START_S:g} s\n{self._last_lines()}")
            time.sleep(POLL_S)

    def stop(self) -> int | None:
        """Ask it to stop and wait; its exit status, None if it had to be killed."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            return None

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.environment[f'{name.upper()}_PORT']}"

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])
