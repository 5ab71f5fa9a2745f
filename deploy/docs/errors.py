"""docs/errors.md: every code a client may see, from the Problem classes themselves."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module

from deploy.local.plan import GATEWAY, SERVICES
from kit.problems import Problem

HEAD = """# Errors

Made by `make docs` from the Problem classes; don't edit it.

Every refusal is `application/problem+json` (RFC 9457): `type`, `title`, `status`, `code`, `detail`, `instance`,
`requestId`, and `errors` (JSON pointer, code, detail) where fields are meant. Clients decide by `code`: it is stable.
`any` stands for the gateway and every service.

| code | status | raised by | title | more |
|---|---|---|---|---|
"""


def errors_document() -> str:
    """One row per code, in alphabetical order."""
    rows = sorted(_row(problem) for problem in _problems())
    return HEAD + "\n".join(dict.fromkeys(rows)) + "\n"


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


def _row(problem: type[Problem]) -> str:
    package = problem.__module__.split(".")[0]
    where = "any" if package == "kit" else package
    more = " ".join((inspect.cleandoc(problem.__doc__) if problem.__doc__ else "").split())
    retry = f"Retry-After {problem.retry_after_s} s." if problem.retry_after_s is not None else ""
    return (
        f"| `{problem.code}` | {problem.status} | {where} | {problem.title} | {' '.join(filter(None, (more, retry)))} |"
    )
