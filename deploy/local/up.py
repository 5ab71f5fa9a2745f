"""`python -m deploy.local up`: the whole platform as processes of this machine, until Ctrl-C."""

import asyncio
import os
import signal
from datetime import UTC, datetime

from rich.console import Console

from deploy.local.lock import RunLock, RunningState, hold_lock
from deploy.local.output import Output, first_admin
from deploy.local.plan import Stage, service_plans
from deploy.local.ports import check_ports
from deploy.local.settings import LocalSettings
from deploy.local.stores import choose_store, prepare_store
from deploy.local.supervisor import Supervisor

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(settings: LocalSettings, console: Console) -> None:
    """Run until stopped; raises what `__main__` turns into a message."""
    if console.is_terminal:  # the processes see a pipe, but a person reads what comes out of it
        os.environ.setdefault("LOG_FORMAT", "console")
    with hold_lock(settings.data_folder) as lock:
        asyncio.run(_run(settings, console, lock))


async def _run(settings: LocalSettings, console: Console, lock: RunLock) -> None:
    store = choose_store(settings)
    plans = [*([store.process] if store.process else []), *service_plans(settings, store)]
    check_ports(plans, settings.bind_host)
    password_file = settings.data_folder / "secrets" / "ADMIN_PASSWORD"
    known_before = password_file.exists()
    output = Output(console, [plan.name for plan in plans])
    supervisor = Supervisor(plans, output)
    state = RunningState(
        pid=os.getpid(),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        addresses={plan.name: plan.address for plan in plans},
    )

    def publish() -> None:
        state.pids = supervisor.pids
        lock.publish(state)

    async def on_stage(stage: Stage) -> None:
        if stage is Stage.STORE:
            await prepare_store(store)
        elif stage is Stage.GATEWAY:
            admin = first_admin(settings.admin_email, settings.data_folder, known_before=known_before)
            output.ready(plans, store, settings.gateway_url, admin)
            state.ready = True
        publish()

    _handle_signals(supervisor, output)
    output.say("starting " + ", ".join(plan.name for plan in plans))
    publish()
    await supervisor.run(on_stage, publish)
    output.say("stopped")


def _handle_signals(supervisor: Supervisor, output: Output) -> None:
    def stop() -> None:
        if supervisor.stop.is_set():
            supervisor.kill_all()
            return
        output.say("stopping gateway, services, store (once more to kill them)")
        supervisor.stop.set()

    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
