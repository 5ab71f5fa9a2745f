"""No module over 300 lines, no function over 60: what is longer is two things."""

import ast
from collections.abc import Iterator
from pathlib import Path

MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60


def check_sizes(root: Path, files: list[str]) -> list[str]:
    faults = []
    for file in files:
        if file.endswith(".py"):
            source = (root / file).read_text(encoding="utf-8")
            faults += [f"{file}:{line}: {fault}" for line, fault in oversized(source)]
    return faults


def oversized(source: str) -> Iterator[tuple[int, str]]:
    """The places that are too long; a function's decorators don't count, the functions inside it do."""
    lines = source.count("\n") + (not source.endswith("\n") and bool(source))
    if lines > MODULE_LINES_MAX:
        yield 1, f"the module has {lines} lines, at most {MODULE_LINES_MAX} are allowed"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name} has {length} lines, at most {FUNCTION_LINES_MAX} are allowed"
