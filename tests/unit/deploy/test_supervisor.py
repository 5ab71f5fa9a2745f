"""The supervisor, with small servers in place of the services."""

import asyncio
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local.output import Output
from deploy.local.plan import ProcessPlan, Stage
from deploy.local.ports import free_ports
from deploy.local.supervisor import Limits, StartError, Supervisor

pytestmark = pytest.mark.anyio

SERVER = """
import http.server, os, signal, sys
name, port, log = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def note(word):
    with open(log, "a") as file:
        file.write(f"{name} {word}\\n")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *arguments): pass
def stop(number, frame):
    if name == "stubborn": return
    note("stopped"); os._exit(0)
signal.signal(signal.SIGTERM, stop)
server = http.server.HTTPServer(("127.0.0.1", port), Handler)
note("started"); print(f"{name} listens", flush=True)
server.serve_forever()
"""
LIMITS = Limits(start_s=15, grace_s=(2, 2, 2), pause_first_s=0.05, pause_max_s=0.2)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Stage3:
    """A store, a service and a gateway that note in one file what happens to them."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.shown = io.StringIO()
        self.output = Output(Console(file=self.shown, width=200), ["store", "bots", "gateway"])
        ports = free_ports(3)
        self.plans = [
            self.plan("store", Stage.STORE, ports[0], ready_path=None),
            self.plan("bots", Stage.SERVICES, ports[1]),
            self.plan("gateway", Stage.GATEWAY, ports[2]),
        ]

    def plan(self, name: str, stage: Stage, port: int, ready_path: str | None = "/") -> ProcessPlan:
        argv = (sys.executable, "-c", SERVER, name, str(port), str(self.log))
        return ProcessPlan(name, stage, argv, "127.0.0.1", port, f"{name.upper()}_PORT", ready_path=ready_path)

    def events(self) -> list[str]:
        return self.log.read_text().splitlines()

    async def run(self, supervisor: Supervisor, when_ready: Callable[[], None]) -> None:
        async def on_stage(stage: Stage) -> None:
            if stage is Stage.GATEWAY:
                when_ready()

        async with asyncio.timeout(30):
            await supervisor.run(on_stage, lambda: None)


@pytest.fixture
def scene(tmp_path: Path) -> Stage3:
    return Stage3(tmp_path)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


async def test_stages_start_in_order_and_stop_in_the_opposite_one(scene: Stage3) -> None:
    supervisor = Supervisor(scene.plans, scene.output, LIMITS)
    await scene.run(supervisor, supervisor.stop.set)
    assert scene.events() == [
        *("store started", "bots started", "gateway started"),
        *("gateway stopped", "bots stopped", "store stopped"),
    ]


async def test_lines_of_a_process_are_shown_behind_its_name(scene: Stage3) -> None:
    supervisor = Supervisor(scene.plans, scene.output, LIMITS)
    await scene.run(supervisor, supervisor.stop.set)
    assert "bots      │ bots listens\n" in scene.shown.getvalue()


async def test_process_that_dies_is_started_again_and_a_line_says_so(scene: Stage3) -> None:
    supervisor = Supervisor(scene.plans, scene.output, LIMITS)

    async def kill_one() -> None:
        await until(lambda: len(supervisor.pids) == 3)
        os.kill(supervisor.pids["bots"], signal.SIGKILL)
        await until(lambda: "bots is ready again" in scene.shown.getvalue())
        supervisor.stop.set()

    killer: list[asyncio.Task[None]] = []
    await scene.run(supervisor, lambda: killer.append(asyncio.create_task(kill_one())))
    assert "bots was ended by SIGKILL; starting it again in 0.05 s" in scene.shown.getvalue()
    assert scene.events().count("bots started") == 2
    assert scene.events().count("store started") == 1


async def test_pauses_before_a_restart_grow(scene: Stage3) -> None:
    plan = ProcessPlan(
        "bots", Stage.SERVICES, scene.plans[1].argv, "127.0.0.1", scene.plans[1].port, "BOTS_PORT", {}, "/"
    )
    supervisor = Supervisor([plan], scene.output, LIMITS)

    async def kill_often() -> None:
        for count in range(1, 4):
            await until(lambda: "bots" in supervisor.pids)
            os.kill(supervisor.pids["bots"], signal.SIGKILL)
            await until(lambda count=count: scene.shown.getvalue().count("starting it again") == count)  # type: ignore[misc]
        supervisor.stop.set()

    killer: list[asyncio.Task[None]] = []
    await scene.run(supervisor, lambda: killer.append(asyncio.create_task(kill_often())))
    shown = scene.shown.getvalue()
    assert [pause in shown for pause in ("in 0.05 s", "in 0.1 s", "in 0.2 s")] == [True, True, True]


async def test_process_that_ends_before_it_is_ready_stops_the_start(scene: Stage3) -> None:
    plan = ProcessPlan(
        "bots", Stage.SERVICES, (sys.executable, "-c", "raise SystemExit(4)"), "127.0.0.1", 1, "BOTS_PORT", {}, "/"
    )
    supervisor = Supervisor([scene.plans[0], plan], scene.output, LIMITS)
    with pytest.raises(StartError, match="bots ended with status 4 before being ready"):
        await scene.run(supervisor, lambda: None)
    assert scene.events() == ["store started", "store stopped"]


async def test_process_that_is_never_ready_is_named_with_its_address(scene: Stage3) -> None:
    argv = (sys.executable, "-c", "import time; time.sleep(60)")
    port = free_ports(1)[0]
    plan = ProcessPlan("bots", Stage.SERVICES, argv, "127.0.0.1", port, "BOTS_PORT", {}, "/health/ready")
    supervisor = Supervisor([plan], scene.output, Limits(start_s=0.5, grace_s=(2, 2, 2)))
    with pytest.raises(StartError, match=rf"not ready within 0.5 s: bots \(http://127.0.0.1:{port}\)"):
        await scene.run(supervisor, lambda: None)


async def test_process_that_does_not_stop_is_killed(scene: Stage3) -> None:
    plan = scene.plan("stubborn", Stage.SERVICES, scene.plans[1].port)
    supervisor = Supervisor([plan], scene.output, Limits(start_s=15, grace_s=(0.3, 0.3, 0.3)))
    await scene.run(supervisor, supervisor.stop.set)
    assert "stubborn did not stop within 0.3 s and was killed" in scene.shown.getvalue()
    assert supervisor.pids == {}
