"""The files that a commit of this tree would hold: tracked ones, and new ones that are not ignored."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def project_files(root: Path = ROOT) -> list[str]:
    """Paths relative to `root`, with forward slashes, sorted."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    names = listing.stdout.decode().split("\0")
    return sorted({name for name in names if name and (root / name).is_file()})


def folders_of(files: list[str]) -> set[str]:
    """Every folder that holds a file, at any depth, without a trailing slash."""
    found: set[str] = set()
    for file in files:
        parts = file.split("/")[:-1]
        found.update("/".join(parts[: depth + 1]) for depth in range(len(parts)))
    return found
