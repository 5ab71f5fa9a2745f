"""Where a process spends its time, sampled from outside while it is under load."""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SECONDS = 3
RATE_PER_S = 200
LINES_MAX = 12
WAIT_S = 30.0


@dataclass
class Sampling:
    """Samples of one process under way."""

    process: subprocess.Popen[bytes]
    output: Path

    @classmethod
    def begin(cls, pid: int) -> Self:
        output = Path(tempfile.mkdtemp(prefix="omnitrade-profile-")) / "stacks"
        command = [
            str(Path(sys.executable).with_name("py-spy")),
            *("record", "--pid", str(pid), "--duration", str(SECONDS), "--rate", str(RATE_PER_S)),
            *("--gil", "--function", "--format", "raw", "--output", str(output)),
        ]
        return cls(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE), output)

    def report(self) -> str:
        """The functions that were running most often, with their share; or why there are none."""
        _, errors = self.process.communicate(timeout=WAIT_S)
        if self.process.returncode != 0 or not self.output.exists():
            return f"  no samples: {errors.decode(errors='replace').strip()[-200:]}"
        own: Counter[str] = Counter()
        for line in self.output.read_text().splitlines():
            stack, _, count = line.rpartition(" ")
            own[stack.rsplit(";", 1)[-1]] += int(count)
        total = sum(own.values())
        return "\n".join(f"  {count / total:6.1%}  {frame}" for frame, count in own.most_common(LINES_MAX))


def under(pids: Mapping[str, int], load: Callable[[], object]) -> str:
    """Profiles of processes, by name, while `load` runs once more."""
    samplings = {name: Sampling.begin(pid) for name, pid in pids.items()}
    load()
    return "\n".join(f" {name}\n{sampling.report()}" for name, sampling in samplings.items())


def of_imports(module: str) -> str:
    """What a process imports before it serves, the dearest first: a start is over before it could be sampled."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}.app"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_S)
    lines = [line.removeprefix("import time:").split("|") for line in ended.stderr.splitlines() if "|" in line]
    spent = sorted(((int(own), name.strip()) for own, _, name in lines if own.strip().isdigit()), reverse=True)
    return "\n".join(f"  {microseconds / 1000:6.1f} ms  {name}" for microseconds, name in spent[:LINES_MAX])
