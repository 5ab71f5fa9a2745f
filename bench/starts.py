"""Rows on starting: time to ready and resident memory of each process, alone."""

import sys
import time

from bench.profiles import of_imports
from bench.run import Run
from bench.servers import free_port, serving
from bench.stage import Stage
from bench.table import Goal, Row, explain

SETTLE_S = 1.0
NAMES = ("users", "bots", "staking", "gateway")


def start_rows(run: Run, stage: Stage) -> list[Row]:
    """Each process started beside the running platform, on its store, as one more replica."""
    return [row for name in NAMES for row in _rows_of(name, run, stage)]


def _rows_of(name: str, run: Run, stage: Stage) -> tuple[Row, Row]:
    start = Row(f"{name}: start to ready", "", Goal(at_most=2, unit="s"))
    memory = Row(f"{name}: resident memory, idle", "", Goal(at_most=120, unit="MiB"))
    environment = dict(stage.platform.environment)
    environment["MONGODB_URL"] = stage.store_url
    environment["SERVICES"] = " ".join(f"{one}={url}" for one, url in stage.platform.service_urls.items())
    for _ in range(run.rounds):
        port = free_port()
        environment[f"{name.upper()}_PORT"] = str(port)
        url = f"http://127.0.0.1:{port}"
        with serving([sys.executable, "-m", name], url, ready="/health/ready", environment=environment) as server:
            time.sleep(SETTLE_S)
            start.take(server.seconds_to_ready)
            memory.take(server.resident_mib())
    explain([start], lambda: of_imports(name))
    return start, memory
