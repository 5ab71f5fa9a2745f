"""Generated documents: written by `make docs`, compared by `make lint`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.docs.errors import errors_document
from deploy.docs.references import references_document

ROOT = Path(__file__).parents[2]
GENERATED: Mapping[str, Callable[[], str]] = {
    "docs/errors.md": errors_document,
    "docs/references.md": references_document,
}


def write_generated() -> list[str]:
    """The names of the files that changed."""
    changed = []
    for name, make in GENERATED.items():
        content = make()
        if _current(name) != content:
            (ROOT / name).write_text(content, encoding="utf-8")
            changed.append(name)
    return changed


def check_generated() -> list[str]:
    return [
        f"{name} is not what its source says: run `make docs`"
        for name, make in GENERATED.items()
        if _current(name) != make()
    ]


def _current(name: str) -> str | None:
    file = ROOT / name
    return file.read_text(encoding="utf-8") if file.exists() else None
