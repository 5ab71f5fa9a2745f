"""A platform whose processes are started, killed and stopped one by one, without a supervisor that would start them
again."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
from processes import until

from deploy.local.background import ROOT, inherited_environment
from deploy.local.plan import GATEWAY, READY_PATH, SERVICES, ProcessPlan, Stage, service_addresses, service_plans
from deploy.local.ports import free_ports_for, is_busy
from deploy.local.process import LAUNCHER
from deploy.local.settings import LocalSettings
from deploy.local.stores import choose_store
from kit.store.administration import drop_databases

STORE = "store"
START_S = 60.0
STOP_S = 10.0
ANSWER_S = 2.0
LOG_BYTES_SHOWN = 3000


@dataclass(frozen=True)
class Guest:
    """A service of another team. The gateway is told of it by whoever starts that with `services_with`."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Parts:
    """On free ports, in a data folder of its own; on the embedded store, or on the one at `store_url`, in databases
    that are dropped afterwards. Its processes end with this one at the latest.

    `replicas`: how many there are of a service or the gateway, if not one; they are called bots.1, bots.2.
    `settings`: environment variables of every process; `own`: of one service's."""

    def __init__(
        self,
        folder: Path,
        *,
        store_url: str | None = None,
        replicas: Mapping[str, int] | None = None,
        guests: Sequence[Guest] = (),
        settings: Mapping[str, str] | None = None,
        own: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.prefix = f"test_{secrets.token_hex(4)}"
        counts = {name: (replicas or {}).get(name, 1) for name in (GATEWAY, *SERVICES)}
        ports = free_ports_for({**counts, STORE: 1, **{guest.name: 1 for guest in guests}})
        planned = _planned(folder, store_url, self.prefix, counts, ports)
        chosen = choose_store(planned)
        self.store_url = chosen.url
        self._is_foreign_store = chosen.process is None
        plans = [*([chosen.process] if chosen.process else []), *service_plans(planned, chosen)]
        plans += [_guest_plan(guest, ports[guest.name], plans) for guest in guests]
        self.plans: dict[str, ProcessPlan] = {plan.name: plan for plan in plans}
        self.admin = ("admin@omnitrade.example", "a password of the first admin")
        self._services = service_addresses(planned)
        self._environment = {
            "ADMIN_EMAIL": self.admin[0],
            "ADMIN_PASSWORD": self.admin[1],
            "SERVICES": self._services,
            **(settings or {}),
        }
        self._own = own or {}
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def gateway_url(self) -> str:
        return self.gateway_urls[0]

    @property
    def gateway_urls(self) -> list[str]:
        return [self.plans[name].address for name in self.replicas(GATEWAY)]

    def replicas(self, name: str) -> list[str]:
        """The processes of a service or the gateway."""
        return [plan for plan in self.plans if plan.partition(".")[0] == name]

    def services_with(self, *guests: str) -> str:
        """The gateway's SERVICES with these guests."""
        return " ".join([self._services, *(f"{name}={self.plans[name].address}" for name in guests)])

    @contextmanager
    def up(self) -> Iterator[Self]:
        """Everything but the guests, ready; nothing of it is left afterwards."""
        try:
            for names in ([STORE], SERVICES, [GATEWAY]):
                self.start(*(replica for name in names for replica in self.replicas(name)))
            yield self
        finally:
            self._close()

    def start(self, *names: str, **environment: str) -> None:
        """Return when they are ready; a gateway is once it has every service's document. `environment` is for this
        start alone."""
        for name in names:
            self.begin(name, **environment)
        self.until_ready(*names)

    def until_ready(self, *names: str) -> None:
        for name in names:
            until(partial(self.is_ready, name), f"{name} was not ready", START_S)

    def begin(self, name: str, **environment: str) -> None:
        plan = self.plans[name]
        if plan.pid_file is not None:
            plan.pid_file.unlink(missing_ok=True)  # of a process that was killed
        launcher = (sys.executable, "-E", "-S", str(LAUNCHER), str(os.getpid()), str(int(signal.SIGKILL)))
        own = self._own.get(name.partition(".")[0], {})
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*launcher, *plan.argv],
                cwd=ROOT,
                env={**inherited_environment(), **plan.environment, **self._environment, **own, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self, name: str) -> None:
        """SIGKILL: nothing of what it does is finished."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def has_killed_itself(self, name: str) -> bool:
        """Whether it came to its FAULT_POINT; any other end is a failure."""
        status = self._running[name].poll()
        if status not in {None, -signal.SIGKILL}:
            raise AssertionError(f"{name} ended with status {status}: {self.last_of(name)}")
        return status is not None

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

    def _close(self) -> None:
        self.stop(*(name for name in reversed(self.plans) if name in self._running))
        if self._is_foreign_store:
            asyncio.run(drop_databases(self.store_url, self.prefix))

    @contextmanager
    def down(self, *names: str) -> Iterator[None]:
        """Not there; back and ready afterwards."""
        self.stop(*names)
        try:
            yield
        finally:
            self.start(*names)

    @contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        """There, but they do nothing; going on afterwards."""
        for name in names:
            self._running[name].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for name in names:
                self._running[name].send_signal(signal.SIGCONT)

    def running(self) -> list[str]:
        """Those that were started and not stopped."""
        return list(self._running)

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def is_ready(self, name: str) -> bool:
        plan, process = self.plans[name], self._running[name]
        if process.poll() is not None:
            raise AssertionError(f"{name} ended with status {process.returncode}: {self.last_of(name)}")
        if plan.ready_path is None:
            return is_busy(plan.host, plan.port)
        try:
            return httpx.get(plan.address + plan.ready_path, timeout=ANSWER_S).is_success
        except httpx.HTTPError:
            return False

    def last_of(self, name: str) -> str:
        """The end of its log."""
        log = self._folder / f"{name}.log"
        return log.read_text(errors="replace")[-LOG_BYTES_SHOWN:] if log.exists() else ""


def _planned(
    folder: Path, store_url: str | None, prefix: str, replicas: Mapping[str, int], ports: Mapping[str, int]
) -> LocalSettings:
    own: dict[str, Any] = {
        **{f"{name}_port": ports[name] for name in (*replicas, STORE)},
        **{f"{name}_replicas": count for name, count in replicas.items()},
    }
    return LocalSettings(
        data_dir=folder,
        mongodb_url=store_url,
        database_prefix=prefix,
        gateway_keys=None,
        store_kind="embedded",
        bind_host="127.0.0.1",
        **own,
    )


def _guest_plan(guest: Guest, port: int, others: Sequence[ProcessPlan]) -> ProcessPlan:
    """In the environment that the platform's services have, but for what is each one's own."""
    like = next(plan for plan in others if plan.stage is Stage.SERVICES)
    setting = f"{guest.name.upper()}_PORT"
    environment = {name: value for name, value in like.environment.items() if name != like.port_setting}
    return ProcessPlan(
        name=guest.name,
        stage=Stage.SERVICES,
        argv=guest.argv,
        host=like.host,
        port=port,
        port_setting=setting,
        environment={**environment, setting: str(port), **guest.environment},
        ready_path=READY_PATH,
    )
