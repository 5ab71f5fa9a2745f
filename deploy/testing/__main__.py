"""`python -m deploy.testing quick|simulation|stores|platform|all`: run test suites.

`total NAME…` adds up what earlier runs kept, and counts each check named as one that failed."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from deploy.testing.results import Result, load, read_report, save
from deploy.testing.suites import GROUPS, Suite

LANES = 2  # what the smallest machine that this is meant for has cores
ROOT = Path(__file__).parents[2]
REPORTS = ROOT / ".reports"
DISJOINT = ("quick", "simulation", "stores", "platform")  # together they are all


def main(arguments: list[str]) -> int:
    """The exit status: 0 only if every test of every suite passed and no suite was left out in CI."""
    console = Console(highlight=False, width=max(Console().width, 100))
    if arguments[:1] == ["total"]:
        earlier = [result for group in DISJOINT for result in load(_kept(group))]
        return _conclude(console, [*earlier, *(Result(name, 0, 0, 0, 0, "failed") for name in arguments[1:])])
    if len(arguments) != 1 or arguments[0] not in GROUPS:
        console.print(f"usage: python -m deploy.testing {'|'.join(GROUPS)}|total")
        return 2
    group = arguments[0]
    results = [result for result in _run_all(console, GROUPS[group]) if result is not None]
    save(results, _kept(group))
    return _conclude(console, results)


def _run_all(console: Console, suites: Sequence[Suite]) -> Iterator[Result | None]:
    """Those that may, side by side; their output is shown whole as each ends."""
    together = [suite for suite in suites if not suite.alone]
    if together:
        console.print(f"running {', '.join(suite.name for suite in together)}: {LANES} at a time")
    with ThreadPoolExecutor(LANES) as lanes:
        running = [lanes.submit(_run, console, suite, capture=True) for suite in together]
        for ended in as_completed(running):
            yield ended.result()
    for suite in suites:
        if suite.alone:
            yield _run(console, suite, capture=False)


def _run(console: Console, suite: Suite, *, capture: bool) -> Result | None:
    heading = Rule(f"[bold]{suite.name}", align="left")
    if suite.missing:
        message = f"not run: {suite.missing} is not set"
        console.print(heading, message)
        return Result(suite.name, 0, 0, 0, 0, message) if os.environ.get("CI") else None
    if not capture:
        console.print(heading)
    report = REPORTS / f"{suite.name.replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "--durations=5", f"--junitxml={report}", *suite.paths]
    output = subprocess.PIPE if capture else None
    environment = {**os.environ, **suite.environment}
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        check=False,
        text=True,
        stdout=output,
        stderr=subprocess.STDOUT if capture else None,
    )
    if capture:
        console.print(heading, Text(ended.stdout), soft_wrap=True)
    return read_report(suite, report, ended.returncode)


def _conclude(console: Console, results: list[Result]) -> int:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("suite", "passed", "failed", "skipped", "seconds", ""):
        table.add_column(column, justify="left" if column in {"suite", ""} else "right")
    for result in results:
        verdict = "[green]good" if result.good else f"[red]{result.fault or 'failed'}"
        counts = (str(count) for count in (result.passed, result.failed, result.skipped))
        table.add_row(result.suite, *counts, f"{result.seconds:.1f}", verdict)
    console.rule(align="left")
    console.print(table)
    faults = sum(1 for result in results if result.fault is not None)
    passed = sum(result.passed for result in results)
    failed = sum(result.failed for result in results) + faults
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 0 if results and failed == 0 else 1


def _kept(group: str) -> Path:
    return REPORTS / f"{group}.json"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
