"""docs/errors.md: every code a client may see, from the Problem classes themselves."""

import ast
import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import gateway.server
from deploy.local.plan import GATEWAY, SERVICES
from kit.problems import Problem

HEAD = """# Errors

Made by `make docs` from the Problem classes, and from what `gateway/src/gateway/server.py` refuses before there is a
request; don't edit it.

Every refusal is `application/problem+json` (RFC 9457): `type`, `title`, `status`, `code`, `detail`, `instance`,
`requestId`, and `errors` (JSON pointer, code, detail) where fields are meant. Clients decide by `code`: it is stable.
`any` stands for the gateway and every service. `relationship-unknown` and `foreign-rows` are said by services to the
gateway alone, as the reason for which a delete waits or an audit is not complete.

| code | status | raised by | title | more |
|---|---|---|---|---|
"""


def errors_document() -> str:
    """One row per code, in alphabetical order."""
    rows = {problem.code: _row(problem) for problem in _problems()}
    for status, code, title in _before_a_request():
        rows.setdefault(code, f"| `{code}` | {status} | gateway | {title} | The connection is closed. |")
    return HEAD + "\n".join(row for _, row in sorted(rows.items())) + "\n"


def _problems() -> Iterator[type[Problem]]:
    for package in ("kit", *SERVICES, GATEWAY):
        module = import_module(package)
        for found in pkgutil.walk_packages(module.__path__, prefix=f"{package}."):
            if not found.name.endswith("__main__"):
                import_module(found.name)
    waiting = [Problem]
    while waiting:
        for subclass in waiting.pop().__subclasses__():
            waiting.append(subclass)
            if "code" in vars(subclass):
                yield subclass


def _before_a_request() -> Iterator[tuple[int, str, str]]:
    """Status, code and title of each refusal that the gateway's server writes without a Problem."""
    for node in ast.walk(ast.parse(inspect.getsource(gateway.server))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "_refuse":
            status, code, title = map(ast.literal_eval, node.args)
            yield status, code, title


def _row(problem: type[Problem]) -> str:
    package = problem.__module__.split(".")[0]
    where = "any" if package == "kit" else package
    more = " ".join((inspect.cleandoc(problem.__doc__) if problem.__doc__ else "").split())
    retry = f"Retry-After {problem.retry_after_s} s." if problem.retry_after_s is not None else ""
    return (
        f"| `{problem.code}` | {problem.status} | {where} | {problem.title} | {' '.join(filter(None, (more, retry)))} |"
    )
