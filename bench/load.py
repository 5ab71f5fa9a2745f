"""Load from wrk, a generator in C that isn't the limit, and paced requests for latency.

Every run is bounded in time and goes to the loopback interface. Rates count successful answers only.
"""

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

SECONDS_MAX = 60
CONNECTIONS_MAX = 128
LATENCY_REQUESTS_MAX = 20_000

# A line of JSON behind wrk's own report: what wrk counts, and what it calls an error.
REPORT = """
done = function(summary, latency, requests)
  io.write(string.format('REPORT {"requests": %d, "microseconds": %d, "refused": %d, "broken": %d}\\n',
    summary.requests, summary.duration, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""

# Each request takes the next line of a file of bodies, or formats the one body with a number of its own.
BODIES = """
local number, lines = 0, {}
local thread_number = 0
function setup(thread) thread:set("id", thread_number); thread_number = thread_number + 1 end
function init(args)
  local file = io.open(os.getenv("BENCH_BODIES"))
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
end
function request()
  number = number + 1
  local body = lines[(number - 1) % #lines + 1]:gsub("@", os.getenv("BENCH_RUN") .. "-" .. id .. "-" .. number)
  return wrk.format("POST", nil, nil, body)
end
"""


class MissingToolError(RuntimeError):
    """A program that the comparison needs isn't installed."""


@dataclass(frozen=True)
class Rate:
    """One run of load."""

    per_second: float
    answered: int
    refused: int


def tool(name: str) -> str:
    """The path of an external program; the message names the package when it is missing."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise MissingToolError(f"{name} is not installed (Debian: apt-get install {name})")
    return path


def load(
    url: str, *, seconds: float, connections: int, headers: dict[str, str] | None = None, bodies: Path | None = None
) -> Rate:
    """GETs, or POSTs of the bodies in a file (one a line, `@` becomes unique), as fast as they are answered."""
    if seconds > SECONDS_MAX or connections > CONNECTIONS_MAX:
        raise ValueError("a run of load is bounded in time and connections")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.lua"
        script.write_text((BODIES if bodies else "") + REPORT)
        command = [tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script)]
        for name, value in (headers or {}).items():
            command += ["-H", f"{name}: {value}"]
        environment = {"BENCH_BODIES": str(bodies or ""), "BENCH_RUN": f"{time.time_ns():x}"}
        output = subprocess.run([*command, url], capture_output=True, text=True, check=True, env=environment)
    lines = [line for line in output.stdout.splitlines() if line.startswith("REPORT ")]
    report = json.loads(lines[0].removeprefix("REPORT "))
    good = report["requests"] - report["refused"]
    return Rate(good / report["microseconds"] * 1e6, good, report["refused"] + report["broken"])


@dataclass(frozen=True)
class Latency:
    """Percentiles in milliseconds."""

    p50: float
    p99: float


def latencies(
    urls: dict[str, str], *, per_second: float, seconds: float, headers: dict[str, dict[str, str]]
) -> dict[str, Latency]:
    """Latency of several addresses at a given rate, taken in turn so that both see the same noise."""
    taken = asyncio.run(_paced(urls, per_second, seconds, headers))
    return {name: _percentiles(values) for name, values in taken.items()}


async def _paced(
    urls: dict[str, str], per_second: float, seconds: float, headers: dict[str, dict[str, str]]
) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in urls}
    count = min(int(per_second * seconds), LATENCY_REQUESTS_MAX)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16)) as session, asyncio.TaskGroup() as group:
        started = time.perf_counter()
        for number in range(count):
            await asyncio.sleep(max(0.0, started + number / per_second - time.perf_counter()))
            for name, url in urls.items():
                group.create_task(_timed(session, url, headers[name], taken[name]))
    return taken


async def _timed(session: aiohttp.ClientSession, url: str, headers: dict[str, str], into: list[float]) -> None:
    started = time.perf_counter()
    async with session.get(url, headers=headers) as answer:
        await answer.read()
        answer.raise_for_status()
    into.append((time.perf_counter() - started) * 1000)


def _percentiles(values: list[float]) -> Latency:
    ordered = sorted(values)
    return Latency(ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)])


def write_bodies(path: Path, bodies: list[dict[str, Any]]) -> Path:
    """A file of request bodies, one a line."""
    path.write_text("\n".join(json.dumps(body) for body in bodies) + "\n")
    return path
