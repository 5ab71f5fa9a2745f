"""docs/protocol.md against the tree: every paragraph has a row that says where it lives and which tests hold it, every
module and test that a row names is there, and no module of the protocol is without a row."""

import re
from collections.abc import Iterator
from pathlib import Path

DOCUMENT = "docs/protocol.md"
SOURCES = {"kit": "kit/src/", "gateway": "gateway/src/"}
TESTS = "tests/"
COVERED = (
    "kit/src/kit/references/",
    "gateway/src/gateway/deletion/",
    "gateway/src/gateway/membership/",
    "gateway/src/gateway/integrity/",
)
PARAGRAPH = re.compile(r"^### (\d+\.\d+) ", re.MULTILINE)
ROW = re.compile(r"^\| (\d+\.\d+) \|([^|]*)\|([^|]*)\|$", re.MULTILINE)
NAME = re.compile(r"`([^`]+)`")


def check_protocol(root: Path, files: list[str]) -> list[str]:
    return [f"{DOCUMENT}: {fault}" for fault in protocol_faults((root / DOCUMENT).read_text(encoding="utf-8"), files)]


def protocol_faults(document: str, files: list[str]) -> Iterator[str]:
    known = set(files)
    paragraphs = PARAGRAPH.findall(document)
    rows = {
        paragraph: (NAME.findall(modules), NAME.findall(tests)) for paragraph, modules, tests in ROW.findall(document)
    }
    yield from (f"{paragraph} has no row" for paragraph in paragraphs if paragraph not in rows)
    yield from (f"the row {paragraph} has no paragraph" for paragraph in rows if paragraph not in paragraphs)
    named: set[str] = set()
    for paragraph, (modules, tests) in rows.items():
        if not modules or not tests:
            yield f"{paragraph} needs a module and a test"
        places = [(module, _file_of(module)) for module in modules] + [(test, f"{TESTS}{test}") for test in tests]
        yield from (
            f"{paragraph} names {name}, but there is no {place}" for name, place in places if place not in known
        )
        named.update(place for _, place in places)
    for file in files:
        if file.startswith(COVERED) and file.endswith(".py") and not file.endswith("__init__.py") and file not in named:
            yield f"{file} is in no row"


def _file_of(module: str) -> str:
    """ "kit.references.deletes.closing" as kit/src/kit/references/deletes/closing.py."""
    return f"{SOURCES.get(module.partition('.')[0], '')}{module.replace('.', '/')}.py"
