"""A platform whose processes are started and stopped one by one, without a supervisor that would start them again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from processes import until

from deploy.local.background import ROOT, inherited_environment
from deploy.local.plan import GATEWAY, SERVICES, ProcessPlan, service_addresses, service_plans
from deploy.local.ports import free_ports, is_busy
from deploy.local.process import LAUNCHER
from deploy.local.settings import LocalSettings
from deploy.local.stores import choose_store

STORE = "store"
START_S = 60.0
STOP_S = 10.0
ANSWER_S = 2.0
LOG_BYTES_SHOWN = 3000


class Parts:
    """On the embedded store, on free ports, in a data folder of its own. Its processes end with this one at the
    latest."""

    def __init__(self, folder: Path, **settings: str) -> None:
        names = (GATEWAY, *SERVICES, STORE)
        own: dict[str, Any] = {
            **{f"{name}_port": port for name, port in zip(names, free_ports(len(names)), strict=True)},
            **{f"{name}_replicas": 1 for name in (GATEWAY, *SERVICES)},
        }
        planned = LocalSettings(
            data_dir=folder, mongodb_url=None, gateway_keys=None, store_kind="embedded", bind_host="127.0.0.1", **own
        )
        store = choose_store(planned)
        assert store.process is not None
        plans = [store.process, *service_plans(planned, store)]
        self.plans: dict[str, ProcessPlan] = {plan.name: plan for plan in plans}
        self.admin = ("admin@omnitrade.example", "a password of the first admin")
        self._environment = {
            "ADMIN_EMAIL": self.admin[0],
            "ADMIN_PASSWORD": self.admin[1],
            "SERVICES": service_addresses(planned),
            **settings,
        }
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def gateway_url(self) -> str:
        return self.plans[GATEWAY].address

    def start(self, *names: str) -> None:
        """Return when they are ready; a gateway is once it has every service's document."""
        for name in names:
            self.begin(name)
        for name in names:
            until(partial(self.is_ready, name), f"{name} was not ready", START_S)

    def begin(self, name: str) -> None:
        plan = self.plans[name]
        launcher = (sys.executable, "-E", "-S", str(LAUNCHER), str(os.getpid()), str(int(signal.SIGKILL)))
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*launcher, *plan.argv],
                cwd=ROOT,
                env={**inherited_environment(), **plan.environment, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self, *names: str) -> None:
        for name in names:
            process = self._running.pop(name)
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def close(self) -> None:
        self.stop(*(name for name in reversed(self.plans) if name in self._running))

    @contextmanager
    def down(self, name: str) -> Iterator[None]:
        """Not there; back and ready afterwards."""
        self.stop(name)
        try:
            yield
        finally:
            self.start(name)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """There, but it does nothing; going on afterwards."""
        self._running[name].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._running[name].send_signal(signal.SIGCONT)

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def is_ready(self, name: str) -> bool:
        plan, process = self.plans[name], self._running[name]
        if process.poll() is not None:
            raise AssertionError(f"{name} ended with status {process.returncode}: {self._last_of(name)}")
        if plan.ready_path is None:
            return is_busy(plan.host, plan.port)
        try:
            return httpx.get(plan.address + plan.ready_path, timeout=ANSWER_S).is_success
        except httpx.HTTPError:
            return False

    def _last_of(self, name: str) -> str:
        log = self._folder / f"{name}.log"
        return log.read_text(errors="replace")[-LOG_BYTES_SHOWN:] if log.exists() else ""
