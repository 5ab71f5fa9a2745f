"""The platform that the demo plays on: the one that answers on GATEWAY_PORT, or one of its own, which ends with it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from demo.show import Show, StepFailedError
from deploy.local.background import BackgroundPlatform, NotStartedError
from deploy.local.lock import running_state
from deploy.local.settings import LocalSettings

ROOT = Path(__file__).parents[1]
PROBE_S = 3.0
KEYS_PATH = "/.well-known/jwks.json"  # ours answers it; whatever else listens on the port does not
READY_PATH = "/health/ready"


@dataclass(frozen=True)
class Target:
    """`environment` is what a command needs to find the platform's store."""

    base_url: str
    admin_email: str
    admin_password: str = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    data_folder: Path = field(default_factory=lambda: LocalSettings().data_folder)

    def pids(self) -> Mapping[str, int]:
        """Its processes, if its supervisor runs on this machine."""
        state = running_state(self.data_folder)
        return {} if state is None else state.pids

    @property
    def store_url(self) -> str | None:
        """Where its databases are, if that is known here."""
        state = running_state(self.data_folder)
        given = self.environment.get("MONGODB_URL")
        address = None if state is None else state.addresses.get("store")
        return given or (f"mongodb://{address}" if address else None)

    def database(self, service: str) -> str:
        return f"{self.environment.get('DATABASE_PREFIX') or 'omnitrade'}_{service}"

    def audit(self) -> int:
        """The exit status of the audit, which prints what it finds."""
        command = [sys.executable, "-m", "deploy.audit"]
        return subprocess.run(command, cwd=ROOT, env=dict(self.environment), check=False).returncode


@contextmanager
def target(show: Show) -> Iterator[Target]:
    """The running platform, or one of its own, stopped and removed at the end."""
    settings = LocalSettings()
    if _answers(settings.gateway_url):
        with show.step("use the platform that runs here") as step:
            password = _known_password(settings)
            step.note = settings.gateway_url
        yield Target(settings.gateway_url, settings.admin_email, password, dict(os.environ))
        return
    with tempfile.TemporaryDirectory(prefix="omnitrade-demo-", ignore_cleanup_errors=True) as folder:
        platform = BackgroundPlatform.plan(Path(folder), AUDIT_RECHECK_S="1", DELETE_IDLE_S="2")
        try:
            with show.step("start a platform of our own") as step:
                try:
                    platform.start()
                except NotStartedError as error:
                    raise StepFailedError(str(error)) from error
                step.note = f"{platform.gateway_url}, data in {folder}"
            yield Target(platform.gateway_url, *platform.admin, platform.environment, platform.data_folder)
        finally:
            platform.stop()


def _answers(url: str) -> bool:
    try:
        keys = httpx.get(url + KEYS_PATH, timeout=PROBE_S)
        ready = httpx.get(url + READY_PATH, timeout=PROBE_S)
    except httpx.HTTPError:
        return False
    return ready.is_success and keys.is_success and "keys" in keys.text


def _known_password(settings: LocalSettings) -> str:
    file = settings.data_folder / "secrets" / "ADMIN_PASSWORD"
    if given := os.environ.get("ADMIN_PASSWORD"):
        return given
    if file.exists():
        return file.read_text().strip()
    raise StepFailedError(f"the admin's password is neither in ADMIN_PASSWORD nor in {file}")
