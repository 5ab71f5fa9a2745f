"""Lock files name no package index, pin every requirement, and hold a hash for each."""

import re
from pathlib import Path

PINNED = re.compile(r"^[A-Za-z0-9._-]+(\[[^\]]+\])?==[^\s;\\]+")
ADDRESS = re.compile(r"https?://|--(extra-)?index-url|--find-links|--trusted-host|^-i\s", re.MULTILINE)
LOCK_FILES = ("requirements/base.txt", "requirements/dev.txt")


def check_locks(root: Path) -> list[str]:
    return [f"{name}: {fault}" for name in LOCK_FILES for fault in lock_faults((root / name).read_text())]


def lock_faults(text: str) -> list[str]:
    faults = [f"names an index or an address: {match.group(0)}" for match in ADDRESS.finditer(text)]
    statements = re.sub(r"\\\n", " ", text).splitlines()
    for statement in statements:
        line = statement.strip()
        if not line or line.startswith("#"):
            continue
        if not PINNED.match(line):
            faults.append(f"is not pinned: {line[:60]}")
        elif "--hash=sha256:" not in line:
            faults.append(f"has no hash: {line.split()[0]}")
    return faults
