"""Finds the operation of a path: fixed paths by one look-up, others along a trie of segments, fixed before variable."""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote

from gateway.documents import Operation
from gateway.reference_spec import DocumentRefusedError

SEGMENTS_MAX: Final = 32
_VARIABLE: Final = "{}"

Methods = dict[str, Operation]


class _Branch:
    __slots__ = ("fixed", "methods", "variable")

    def __init__(self) -> None:
        self.fixed: dict[str, _Branch] = {}
        self.variable: _Branch | None = None
        self.methods: Methods = {}


class Route:
    """What a path leads to: its operations by method, and the names in the template of each."""

    __slots__ = ("methods", "values")

    def __init__(self, methods: Mapping[str, Operation], values: tuple[str, ...]) -> None:
        self.methods = methods
        self.values = values

    @property
    def allow(self) -> str:
        return ", ".join(sorted(self.methods))


class Router:
    """Built from the operations of all documents. Raises DocumentRefusedError if two services have one route."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._fixed: dict[str, Methods] = {}
        self._root = _Branch()
        self.names: dict[tuple[str, str], tuple[str, ...]] = {}
        for operation in operations:
            self._add(operation)

    def _add(self, operation: Operation) -> None:
        segments = split_template(operation.path)
        methods = self._methods(segments)
        where = f"{operation.method} {operation.path}"
        other = next((one for one in methods.values() if one.service != operation.service), None)
        if other is not None:
            raise DocumentRefusedError(f"{where}: the path is a route of {other.service} already ({other.path})")
        if operation.method in methods:
            raise DocumentRefusedError(f"{where}: the same route as {methods[operation.method].path}")
        methods[operation.method] = operation
        self.names[operation.service, operation.path] = tuple(one[1:-1] for one in segments if one.startswith("{"))
        if not any(one.startswith("{") for one in segments):
            self._fixed[operation.path] = methods

    def _methods(self, segments: list[str]) -> Methods:
        branch = self._root
        for segment in segments:
            if segment.startswith("{"):
                branch.variable = branch = branch.variable or _Branch()
            else:
                branch = branch.fixed.setdefault(segment, _Branch())
        return branch.methods

    def find(self, path: str) -> Route | None:
        """`path` is as it was sent, percent-encoded. None if no operation has it."""
        methods = self._fixed.get(path)
        if methods is not None:
            return Route(methods, ())
        segments = path[1:].split("/")
        if len(segments) > SEGMENTS_MAX or not path.startswith("/"):
            return None
        if "%" in path:
            segments = [unquote(segment) for segment in segments]
        values: list[str] = []
        found = self._walk(self._root, segments, 0, values)
        return None if found is None else Route(found, tuple(values))

    def _walk(self, branch: _Branch, segments: list[str], place: int, values: list[str]) -> Methods | None:
        if place == len(segments):
            return branch.methods or None
        segment = segments[place]
        fixed = branch.fixed.get(segment)
        if fixed is not None:
            found = self._walk(fixed, segments, place + 1, values)
            if found is not None:
                return found
        if (
            branch.variable is None or segment in ("", ".", "..") or "\0" in segment
        ):  # no id has a NUL, no store takes it
            return None
        values.append(segment)
        found = self._walk(branch.variable, segments, place + 1, values)
        if found is None:
            values.pop()
        return found

    def parameters(self, operation: Operation, route: Route) -> dict[str, str]:
        """The path's values by the names in the operation's template."""
        return dict(zip(self.names[operation.service, operation.path], route.values, strict=True))


def split_template(path: str) -> list[str]:
    """The segments of a template such as `/v1/bots/{botId}`. Raises DocumentRefusedError for one that can't be
    routed."""
    segments = path[1:].split("/")
    if len(segments) > SEGMENTS_MAX:
        raise DocumentRefusedError(f"{path}: more than {SEGMENTS_MAX} segments")
    for segment in segments:
        braces = segment.count("{") + segment.count("}")
        whole = segment.startswith("{") and segment.endswith("}") and len(segment) > 2
        if (braces and not (whole and braces == 2)) or (not segment and path != "/"):
            raise DocumentRefusedError(f"{path}: {segment!r} is neither a fixed segment nor one {_VARIABLE} variable")
    return segments
