"""docs/layout.md against the tree: every folder and top-level file is listed, and nothing else is."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

from deploy.lint.files import folders_of

DOCUMENT = "docs/layout.md"
ROW = re.compile(r"^\|\s*((?:`[^`]+`(?:,\s*)?)+)\s*\|", re.MULTILINE)


def check_layout(root: Path, files: list[str]) -> list[str]:
    return [f"{DOCUMENT}: {fault}" for fault in layout_faults((root / DOCUMENT).read_text(), files)]


def layout_faults(document: str, files: list[str]) -> list[str]:
    """Faults both ways. A pattern `a/*/b/` stands for folders, `a/**` for a folder's whole inside, others for files."""
    patterns = [pattern for cell in ROW.findall(document) for pattern in re.findall(r"`([^`]+)`", cell)]
    folders = folders_of(files)
    places = {f"{folder}/" for folder in folders} | {file for file in files if "/" not in file}
    missing = sorted(place for place in places if not any(_stands_for(pattern, place) for pattern in patterns))
    everything = {f"{folder}/" for folder in folders} | set(files)
    empty = [pattern for pattern in patterns if not any(_stands_for(pattern, place) for place in everything)]
    return [f"{place} has no row" for place in missing] + [f"`{pattern}` stands for nothing" for pattern in empty]


def _stands_for(pattern: str, place: str) -> bool:
    if pattern.endswith("/**"):
        inside = pattern[:-3].split("/")
        parts = place.rstrip("/").split("/")
        return len(parts) > len(inside) and all(map(fnmatchcase, parts, inside))
    if pattern.endswith("/") != place.endswith("/"):
        return False
    wanted, found = pattern.rstrip("/").split("/"), place.rstrip("/").split("/")
    return len(wanted) == len(found) and all(map(fnmatchcase, found, wanted))
