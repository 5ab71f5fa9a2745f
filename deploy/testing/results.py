"""What a run of pytest came to, read from its JUnit report."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from deploy.testing.suites import Suite


@dataclass(frozen=True)
class Result:
    """Counts of one suite; a fixture's error is a failure. `fault` says what is wrong beside failed tests."""

    suite: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    fault: str | None = None

    @property
    def good(self) -> bool:
        return self.failed == 0 and self.fault is None


def read_report(suite: Suite, report: Path, exit_status: int) -> Result:
    """The counts; a suite that ran nothing, or skipped anything on a store, has a fault."""
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    seconds = 0.0
    if report.exists():
        for element in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314 - pytest just wrote it
            seconds += float(element.get("time", 0))
            for name in counts:
                counts[name] += int(element.get(name, 0))
    failed = counts["failures"] + counts["errors"]
    passed = max(0, counts["tests"] - failed - counts["skipped"])
    return Result(
        suite.name, passed, failed, counts["skipped"], seconds, _fault(suite, passed, failed, counts, exit_status)
    )


def _fault(suite: Suite, passed: int, failed: int, counts: dict[str, int], exit_status: int) -> str | None:
    if passed + failed == 0:
        return "no test ran"
    if suite.store and counts["skipped"]:
        return f"{counts['skipped']} tests were skipped on {suite.store}"
    if exit_status and not failed:
        return f"pytest ended with status {exit_status}"
    return None


def save(results: Iterable[Result], file: Path) -> None:
    """Keep results for a later `total`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(result) for result in results], indent=1))


def load(file: Path) -> list[Result]:
    return [Result(**entry) for entry in json.loads(file.read_text())] if file.exists() else []
