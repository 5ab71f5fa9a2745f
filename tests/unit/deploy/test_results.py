from pathlib import Path

import pytest

from deploy.testing.results import Result, load, read_report, save
from deploy.testing.suites import EMBEDDED, UNIT, Suite


def report(folder: Path, **counts: int) -> Path:
    attributes = " ".join(f'{name}="{value}"' for name, value in counts.items())
    file = folder / "report.xml"
    file.write_text(f'<testsuites><testsuite name="pytest" time="1.5" {attributes}/></testsuites>')
    return file


def read(folder: Path, suite: Suite, status: int, **counts: int) -> Result:
    return read_report(suite, report(folder, **counts), status)


def test_fixture_error_counts_as_a_failure(tmp_path: Path) -> None:
    result = read(tmp_path, UNIT, 1, tests=10, failures=1, errors=2, skipped=3)
    assert (result.passed, result.failed, result.skipped, result.good) == (4, 3, 3, False)


def test_good_run_has_no_fault(tmp_path: Path) -> None:
    assert read(tmp_path, EMBEDDED, 0, tests=4, failures=0, errors=0, skipped=0).good


@pytest.mark.parametrize("suite", [UNIT, EMBEDDED])
def test_run_of_nothing_is_a_fault(tmp_path: Path, suite: Suite) -> None:
    assert read(tmp_path, suite, 5, tests=0, failures=0, errors=0, skipped=0).fault == "no test ran"
    assert read_report(suite, tmp_path / "none.xml", 2).fault == "no test ran"


def test_skipped_test_on_a_store_is_a_fault(tmp_path: Path) -> None:
    counts = {"tests": 4, "failures": 0, "errors": 0, "skipped": 1}
    assert read(tmp_path, EMBEDDED, 0, **counts).fault == "1 tests were skipped on embedded"
    assert read(tmp_path, UNIT, 0, **counts).good


def test_crash_after_good_tests_is_a_fault(tmp_path: Path) -> None:
    result = read(tmp_path, UNIT, 139, tests=4, failures=0, errors=0, skipped=0)
    assert result.fault == "pytest ended with status 139"


def test_kept_results_are_read_again(tmp_path: Path) -> None:
    results = [Result("unit", 3, 1, 0, 2.5), Result("platform", 0, 0, 0, 0.0, "no test ran")]
    save(results, tmp_path / "kept" / "quick.json")
    assert load(tmp_path / "kept" / "quick.json") == results
    assert load(tmp_path / "none.json") == []
