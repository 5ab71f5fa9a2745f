"""The checks of `make lint` find what they are for."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.lint.compose import check_compose, dockerfile_faults, rule_faults, schema_faults
from deploy.lint.files import project_files
from deploy.lint.layout import layout_faults
from deploy.lint.locks import check_locks, lock_faults
from deploy.lint.protocol import check_protocol, protocol_faults
from deploy.lint.sizes import oversized

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
HASH = "--hash=sha256:" + "0" * 64


@pytest.fixture
def compose() -> dict[str, Any]:
    return copy.deepcopy(COMPOSE)


def test_our_compose_file_is_good() -> None:
    assert check_compose(ROOT) == []


def test_compose_schema_names_the_place_of_an_unknown_key(compose: dict[str, Any]) -> None:
    compose["services"]["bots"]["restarts"] = "always"
    assert [fault.split(":")[0] for fault in schema_faults(compose)] == ["services.bots"]


def test_compose_schema_refuses_a_wrong_type(compose: dict[str, Any]) -> None:
    compose["services"]["mongo"]["healthcheck"]["retries"] = ["many"]
    assert "services.mongo.healthcheck.retries" in [fault.split(":")[0] for fault in schema_faults(compose)]


def test_published_port_of_a_service_is_a_fault(compose: dict[str, Any]) -> None:
    compose["services"]["mongo"]["ports"] = ["27017:27017"]
    assert rule_faults(compose) == ["mongo publishes a port; only the gateway may"]


@pytest.mark.parametrize("image", ["mongo", "mongo:latest", "mongo:8"])
def test_image_without_a_version_is_a_fault(compose: dict[str, Any], image: str) -> None:
    compose["services"]["mongo"]["image"] = image
    assert rule_faults(compose) == ["mongo's image is not pinned by a version tag"]


@pytest.mark.parametrize("value", ["hunter2", "${CURSOR_KEY}", "${CURSOR_KEY:-hunter2}", "x${CURSOR_KEY:?none}"])
def test_secret_that_may_be_missing_or_a_default_is_a_fault(compose: dict[str, Any], value: str) -> None:
    compose["services"]["bots"]["environment"]["CURSOR_KEY"] = value
    assert rule_faults(compose) == ["bots's CURSOR_KEY does not come from the environment as ${NAME:?message}"]


def test_service_without_a_restart_policy_is_a_fault(compose: dict[str, Any]) -> None:
    del compose["services"]["mongo"]["restart"]
    assert rule_faults(compose) == ["mongo has no restart policy"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ARG BASE=python:3.13.1\nRUN pip install --require-hashes\nHEALTHCHECK CMD x\n", "runs as root"),
        ("ARG BASE=python:3.13.1\nRUN pip install --require-hashes\nUSER 0:0\nHEALTHCHECK CMD x\n", "runs as root"),
        ("ARG BASE=python:3.13.1\nRUN pip install --require-hashes\nUSER 7\n", "has no health check"),
        ("ARG BASE=python:3.13.1\nRUN pip install x\nUSER 7\nHEALTHCHECK CMD x\n", "installs without hashes"),
        ("FROM python:latest\nRUN pip install --require-hashes\nUSER 7\nHEALTHCHECK CMD x\n", "is not pinned"),
    ],
)
def test_faults_of_an_image(text: str, fault: str) -> None:
    faults = dockerfile_faults("bots", text)
    assert len(faults) == 1
    assert fault in faults[0]


def test_module_of_301_lines_is_too_long_and_300_are_not() -> None:
    assert list(oversized("x = 1\n" * 300)) == []
    assert [line for line, _ in oversized("x = 1\n" * 301)] == [1]


@pytest.mark.parametrize("head", ["def f():", "async def f():"])
def test_function_of_61_lines_is_too_long_and_60_are_not(head: str) -> None:
    assert list(oversized(head + "\n" + "    pass\n" * 59)) == []
    assert [fault for _, fault in oversized(head + "\n" + "    pass\n" * 60)] == [
        "f has 61 lines, at most 60 are allowed"
    ]


def test_our_lock_files_are_good() -> None:
    assert check_locks(ROOT) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"--index-url https://example.org/simple\na==1 {HASH}\n", "names an index"),
        (f"a @ https://example.org/a.whl {HASH}\n", "names an index"),
        (f"a>=1 {HASH}\n", "is not pinned: a>=1"),
        ("a==1\n", "has no hash: a==1"),
        (f"a==1 \\\n    {HASH}\nb==2 \\\n    # via a\n", "has no hash: b==2"),
    ],
)
def test_faults_of_a_lock_file(text: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in lock_faults(text))


def test_pinned_requirement_with_extras_and_a_marker_is_good() -> None:
    assert (
        lock_faults(f"# made by uv\nuvicorn[standard]==1.0 ; python_version < '3.12' \\\n    {HASH}\n    # via x\n")
        == []
    )


LAYOUT = (
    "| where | what |\n|---|---|\n| `src/` | code |\n| `src/*/domain/`, `README.md` | rules |\n| `data/**` | input |\n"
)
FILES = ["README.md", "data/a/b/c.csv", "src/bots/domain/rule.py", "src/main.py"]


def test_folder_and_top_level_file_without_a_row_are_faults() -> None:
    assert layout_faults(LAYOUT, [*FILES, "Makefile"]) == [
        "Makefile has no row",
        "data/ has no row",
        "src/bots/ has no row",
    ]


def test_row_that_stands_for_nothing_is_a_fault() -> None:
    document = LAYOUT + "| `data/`, `src/*/` | |\n| `gone/` | |\n"
    assert layout_faults(document, FILES) == ["`gone/` stands for nothing"]


PROTOCOL = """# Protocol

### 1.1 Declared once

### 1.2 And only once

| paragraph | modules | tests |
|---|---|---|
| 1.1 | `kit.references.declaration` | `unit/test_a.py` |
| 1.2 | `kit.references.scan`, `gateway.catalogue` | `unit/test_a.py` |
"""
PROTOCOL_FILES = [
    "gateway/src/gateway/catalogue.py",
    "kit/src/kit/references/__init__.py",
    "kit/src/kit/references/declaration.py",
    "kit/src/kit/references/scan.py",
    "tests/unit/test_a.py",
]


def test_our_protocol_document_is_good() -> None:
    assert check_protocol(ROOT, project_files()) == []


def test_paragraph_without_a_row_and_row_without_a_paragraph_are_faults() -> None:
    document = PROTOCOL.replace("### 1.2", "### 1.3")
    assert list(protocol_faults(document, PROTOCOL_FILES)) == ["1.3 has no row", "the row 1.2 has no paragraph"]


def test_module_and_test_that_are_not_there_are_faults() -> None:
    assert list(protocol_faults(PROTOCOL, PROTOCOL_FILES)) == []
    left = [file for file in PROTOCOL_FILES if "scan" not in file and "test_a" not in file]
    assert list(protocol_faults(PROTOCOL, left)) == [
        "1.1 names unit/test_a.py, but there is no tests/unit/test_a.py",
        "1.2 names kit.references.scan, but there is no kit/src/kit/references/scan.py",
        "1.2 names unit/test_a.py, but there is no tests/unit/test_a.py",
    ]


def test_module_of_the_protocol_in_no_row_is_a_fault() -> None:
    more = [
        *PROTOCOL_FILES,
        "kit/src/kit/references/new.py",
        "kit/src/kit/other.py",
        "gateway/src/gateway/deletion/x.py",
    ]
    assert list(protocol_faults(PROTOCOL, more)) == [
        "kit/src/kit/references/new.py is in no row",
        "gateway/src/gateway/deletion/x.py is in no row",
    ]


def test_row_without_a_module_or_a_test_is_a_fault() -> None:
    document = PROTOCOL.replace("| 1.1 | `kit.references.declaration` |", "| 1.1 | |")
    files = [file for file in PROTOCOL_FILES if "declaration" not in file]
    assert list(protocol_faults(document, files)) == ["1.1 needs a module and a test"]
