"""`python -m deploy.lint`: every check, one line each; what a failed one has to say stands below its line."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from deploy.docs.generate import check_generated
from deploy.lint.compose import check_compose
from deploy.lint.files import ROOT, project_files
from deploy.lint.layout import check_layout
from deploy.lint.locks import check_locks
from deploy.lint.protocol import check_protocol
from deploy.lint.sizes import check_sizes

CODE = ("kit/src", "services/users/src", "services/bots/src", "services/staking/src", "gateway/src")
TOOLS = ("deploy", "demo", "bench", "tests")
BIN = Path(sys.executable).parent
FAULTS_SHOWN_MAX = 50


def command(*argv: str) -> list[str]:
    """The output of a checking program if it found something."""
    ended = subprocess.run([str(BIN / argv[0]), *argv[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    return (
        []
        if ended.returncode == 0
        else (ended.stdout + ended.stderr).strip().splitlines() or [f"status {ended.returncode}"]
    )


def checks() -> Sequence[tuple[str, Callable[[], list[str]]]]:
    files = project_files()
    return (
        ("ruff check", lambda: command("ruff", "check", "--quiet", "--output-format=concise", *CODE, *TOOLS)),
        ("ruff format", lambda: command("ruff", "format", "--check", "--quiet", *CODE, *TOOLS)),
        ("mypy strict", lambda: command("mypy", "--no-error-summary", *CODE, *TOOLS)),
        ("import contracts", lambda: command("lint-imports")),
        ("sizes", lambda: check_sizes(ROOT, files)),
        ("lock files", lambda: check_locks(ROOT)),
        ("compose file", lambda: check_compose(ROOT)),
        ("generated documents", check_generated),
        ("layout document", lambda: check_layout(ROOT, files)),
        ("protocol document", lambda: check_protocol(ROOT, files)),
    )


def _faults_of(check: Callable[[], list[str]]) -> list[str]:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - the other checks still have something to say
        return [f"{type(error).__name__}: {error}"]


def main() -> int:
    console = Console(highlight=False)
    failed = 0
    for name, check in checks():
        began = time.monotonic()
        faults = _faults_of(check)
        seconds = time.monotonic() - began
        failed += bool(faults)
        mark = "[red]failed" if faults else "[green]good"
        console.print(f"{name:<22} {mark:<18} [dim]{seconds:5.1f} s")
        for fault in faults[:FAULTS_SHOWN_MAX]:
            console.print(f"    {fault}", markup=False, soft_wrap=True)
        if len(faults) > FAULTS_SHOWN_MAX:
            console.print(f"    and {len(faults) - FAULTS_SHOWN_MAX} more")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
