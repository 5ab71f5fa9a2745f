"""Which headers cross the gateway. Hop-by-hop ones end here, in both directions (RFC 9110 §7.6.1); credentials end
here too, since a service knows the caller from the signed context; and nobody outside may send what the gateway says
to services."""

from collections.abc import Iterable, Sequence
from typing import Final

from kit.context import HEADER_NAME
from kit.problems import InvalidRequest, Unauthenticated

Headers = Sequence[tuple[bytes, bytes]]

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
READ: Final = frozenset(
    {
        b"authorization",
        b"connection",
        b"content-length",
        b"content-type",
        b"idempotency-key",
        b"if-match",
        b"if-none-match",
        b"prefer",
        b"traceparent",
        b"tracestate",
        b"transfer-encoding",
        b"x-request-id",
    }
)
"""What the gateway itself looks at."""

_PASSED_ON: Final = frozenset({b"content-type", b"idempotency-key", b"if-match", b"if-none-match", b"prefer"})
_DROPPED: Final = HOP_BY_HOP | (READ - _PASSED_ON) | {b"cookie", b"expect", b"forwarded", b"host", b"x-api-key"}
_DROPPED_PREFIXES: Final = (b"x-omnitrade-", b"x-forwarded-")
CONTEXTS_MAX: Final = 2
"""So many replicas are asked before it is believed that a service refuses what the gateway signs."""
CONTEXT: Final = HEADER_NAME.lower().encode("ascii")
_ANSWER_DROPPED: Final = HOP_BY_HOP | {b"date", b"server", b"x-request-id", CONTEXT}
_ORDINARY_CONNECTION: Final = frozenset({b"keep-alive", b"close", b"Keep-Alive"})
_ONCE: Final = frozenset({b"authorization", b"content-length", b"idempotency-key"})
_LISTS: Final = frozenset({b"connection", b"if-match", b"if-none-match", b"prefer", b"tracestate"})
"""Several lines of these mean the same as one with all their values (RFC 9110 §5.3)."""


class RequestHeaders:
    """A request's headers, gone through once: `seen` is what the gateway reads, `passed_on` what a service gets, line
    by line as it came."""

    __slots__ = ("passed_on", "seen")

    def __init__(self, headers: Headers) -> None:
        """Raises Unauthenticated or InvalidRequest if one that decides something stands twice."""
        self.seen: dict[bytes, bytes] = {}
        passed_on: list[tuple[str, str]] = []
        for name, value in headers:
            if name in READ:
                if name in self.seen and name in _ONCE:
                    raise _twice(name)
                if name in self.seen and name in _LISTS:
                    self.seen[name] += b", " + value
                else:
                    self.seen[name] = value
            if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES):
                passed_on.append((name.decode("latin-1"), _decoded(value)))
        named = self.seen.get(b"connection")
        if named is not None and named not in _ORDINARY_CONNECTION:
            passed_on = _without(passed_on, {one.strip().lower() for one in named.split(b",")})
        self.passed_on = passed_on

    def text(self, name: bytes) -> str | None:
        value = self.seen.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def has_body(self) -> bool:
        return b"transfer-encoding" in self.seen or self.seen.get(b"content-length", b"0") != b"0"

    @property
    def content_length(self) -> int | None:
        value = self.seen.get(b"content-length", b"")
        return int(value) if value.isdigit() else None


def _twice(name: bytes) -> Exception:
    if name == b"authorization":
        return Unauthenticated("The Authorization header stands twice.")
    return InvalidRequest(f"The header {name.decode('latin-1')} stands twice.")


def _decoded(value: bytes) -> str:
    """As the client library encodes it again: UTF-8, unless it is none."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _without(passed_on: list[tuple[str, str]], names: Iterable[bytes]) -> list[tuple[str, str]]:
    """Without the headers that the Connection header declares to be hop-by-hop."""
    dropped = {name.decode("latin-1") for name in names if name not in _PASSED_ON}
    return [one for one in passed_on if one[0] not in dropped]


def answer_headers(headers: Headers, request_id: bytes) -> list[tuple[bytes, bytes]]:
    """A service's answer headers as the client gets them."""
    kept = [one for one in headers if one[0] not in _ANSWER_DROPPED]
    kept.append((b"x-request-id", request_id))
    return kept


def is_context_refused(status: int, headers: Headers) -> bool:
    """Whether a service refuses what the gateway signs: keys that differ, or a clock that is off. It has done nothing
    then, and has said nothing about the client."""
    return status in (401, 428) and any(name == CONTEXT for name, _ in headers)
