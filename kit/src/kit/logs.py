"""Logging of a process: one JSON line per event, or coloured text on a terminal. Never a body, never a secret."""

import logging
import sys
import traceback
from types import TracebackType
from typing import Any, Literal

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from kit.telemetry import current_trace

FRAMES_MAX = 30
MESSAGE_LENGTH_MAX = 500
_CAUSES_MAX = 5
_QUIET_LOGGERS = ("uvicorn.access", "pymongo", "motor", "asyncio", "httpx")

Level = Literal["debug", "info", "warning", "error"]


def configure_logging(
    service: str, *, level: Level = "info", style: Literal["auto", "json", "console"] = "auto"
) -> None:
    """Sends the logs of this process, the libraries' too, to standard output. Called once, by a process's main."""
    console = style == "console" or (style == "auto" and sys.stdout.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        _service_adder(service),
    ]
    if console:
        renderer: Processor = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        factory: Any = structlog.PrintLoggerFactory(sys.stdout)
        last: list[Processor] = [renderer]
        stdlib_last = last
    else:
        factory = structlog.BytesLoggerFactory(sys.stdout.buffer)
        last = [_add_exception, structlog.processors.JSONRenderer(serializer=_dumps)]
        stdlib_last = [_add_exception, structlog.processors.JSONRenderer(serializer=_dumps_text)]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *stdlib_last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def _dumps(value: Any, default: Any = str, **_: Any) -> bytes:
    return orjson.dumps(value, default=default)


def _dumps_text(value: Any, default: Any = str, **_: Any) -> str:
    return orjson.dumps(value, default=default).decode()


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    trace = current_trace.get()
    if trace is not None:
        event.setdefault("request_id", trace.request_id)
        if trace.trace_id is not None:
            event.setdefault("trace_id", trace.trace_id)
    return event


def _service_adder(service: str) -> Processor:
    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add_service


def _add_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Frames and messages, without the values of variables; messages are cut, since drivers put documents into them."""
    given = event.pop("exc_info", None)
    error = _exception_of(given)
    if error is not None:
        event["exception"] = describe_exception(error)
    return event


def _exception_of(given: Any) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        found = given[1]
        return found if isinstance(found, BaseException) else None
    return sys.exc_info()[1] if given else None


def describe_exception(error: BaseException) -> list[dict[str, Any]]:
    """The chain of causes, outermost first."""
    chain: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(chain) < _CAUSES_MAX:
        chain.append(
            {
                "type": type(current).__qualname__,
                "message": str(current)[:MESSAGE_LENGTH_MAX],
                "frames": _frames(current.__traceback__),
            }
        )
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def _frames(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)[-FRAMES_MAX:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
