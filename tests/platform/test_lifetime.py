"""Starting, stopping, and starting where something is in the way."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from api import sign_in, sign_up
from processes import processes_of, until
from scenes import bot, import_markets

from deploy.local.background import ROOT, BackgroundPlatform

STOP_MAX_S = 10.0


def command(platform: BackgroundPlatform, *argv: str) -> "subprocess.CompletedProcess[str]":
    environment = {**platform.environment, "COLUMNS": "200"}
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def local(platform: BackgroundPlatform, name: str) -> "subprocess.CompletedProcess[str]":
    return command(platform, sys.executable, "-m", "deploy.local", name)


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=2).is_success
    except httpx.HTTPError:
        return False


def test_data_survive_a_stop_and_a_start(platform: BackgroundPlatform) -> None:
    import_markets(sign_in(platform.gateway_url, *platform.admin), "binance")
    trader = sign_up(platform.gateway_url)
    made = bot(trader)
    assert platform.stop() == 0
    platform.start()
    again = trader.fetched(f"/v1/bots/{made['botId']}")
    assert again == made


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_stops_all_of_it_in_order_within_ten_seconds(
    platform: BackgroundPlatform, number: signal.Signals
) -> None:
    assert platform.process is not None
    began = time.monotonic()
    platform.process.send_signal(number)
    assert platform.process.wait(STOP_MAX_S) == 0
    assert time.monotonic() - began < STOP_MAX_S
    assert processes_of(platform.data_folder) == {}
    assert "was killed" not in platform.log.read_text()


def test_second_start_on_the_same_data_says_what_runs_already(platform: BackgroundPlatform) -> None:
    second = local(platform, "up")
    assert second.returncode == 1
    assert "OmniTrade already runs" in second.stderr
    assert platform.gateway_url in second.stderr
    assert ready(platform.gateway_url)


def test_busy_port_is_refused_by_its_number_and_its_setting(tmp_path: Path) -> None:
    planned = BackgroundPlatform.plan(tmp_path / "data", STORE_KIND="embedded")
    port = int(planned.environment["BOTS_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        refused = local(planned, "up")
    assert refused.returncode == 1
    assert f"port {port} for bots is taken" in refused.stderr
    assert "BOTS_PORT" in refused.stderr
    assert processes_of(planned.data_folder) == {}


def test_status_names_every_process_and_nothing_after_the_stop(platform: BackgroundPlatform) -> None:
    shown = local(platform, "status")
    assert shown.returncode == 0, shown.stdout
    for name in ("store", "users", "bots", "staking", "gateway"):
        assert name in shown.stdout
    platform.stop()
    assert local(platform, "status").returncode == 3


def test_replicas_share_the_work_behind_one_gateway(tmp_path: Path) -> None:
    planned = BackgroundPlatform.plan(tmp_path / "data", STORE_KIND="embedded", BOTS_REPLICAS="2")
    planned.start()
    try:
        assert planned.state is not None
        for name in ("bots.1", "bots.2"):
            assert ready(planned.state.addresses[name])
        import_markets(sign_in(planned.gateway_url, *planned.admin), "binance")
        bot(sign_up(planned.gateway_url))
    finally:
        planned.stop()


def test_service_that_is_killed_comes_back_and_the_log_says_so(platform: BackgroundPlatform) -> None:
    assert platform.state is not None
    before = platform.state.pids["users"]
    os.kill(before, signal.SIGKILL)
    until(
        lambda: bool(platform.state and platform.state.pids.get("users") not in {None, before}), "users was not started"
    )
    until(lambda: ready(platform.service_urls["users"]), "users was not ready")
    assert "users was ended by SIGKILL; starting it again in 0.5 s" in platform.log.read_text()
    sign_up(platform.gateway_url)


def test_audit_finds_nothing_wrong_with_the_platform_running_and_stopped(platform: BackgroundPlatform) -> None:
    import_markets(sign_in(platform.gateway_url, *platform.admin), "binance")
    bot(sign_up(platform.gateway_url))
    running = command(platform, sys.executable, "-m", "deploy.audit")
    assert running.returncode == 0, running.stdout + running.stderr
    platform.stop()
    stopped = command(platform, sys.executable, "-m", "deploy.audit")
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert processes_of(platform.data_folder) == {}
