import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from kit.logs import FRAMES_MAX, MESSAGE_LENGTH_MAX, describe_exception


def run(script: str) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_event_is_one_json_line_with_service_request_and_trace() -> None:
    (own, foreign) = run(
        "import logging, structlog\n"
        "from kit.logs import configure_logging\n"
        "from kit.telemetry import Trace, current_trace\n"
        "configure_logging('bots', style='json')\n"
        "current_trace.set(Trace('r1', 'a' * 32))\n"
        "structlog.get_logger('x').debug('not shown')\n"
        "structlog.get_logger('x').info('request', status=200, path='a\\nb')\n"
        "logging.getLogger('library').warning('careful %s', 'now')\n"
    )
    assert (own["event"], own["status"], own["path"], own["level"]) == ("request", 200, "a\nb", "info")
    assert (foreign["event"], foreign["level"]) == ("careful now", "warning")
    for line in (own, foreign):
        assert (line["service"], line["request_id"], line["trace_id"]) == ("bots", "r1", "a" * 32)
        assert str(line["timestamp"]).endswith("Z")


def test_exception_is_logged_without_the_values_of_variables() -> None:
    (line,) = run(
        "import structlog\n"
        "from kit.logs import configure_logging\n"
        "configure_logging('bots', style='json')\n"
        "def f(password):\n"
        "    raise ValueError('bad')\n"
        "try:\n"
        "    f('hunter' + str(2))\n"
        "except ValueError:\n"
        "    structlog.get_logger('x').exception('failed')\n"
    )
    (error,) = line["exception"]
    assert (error["type"], error["message"]) == ("ValueError", "bad")
    assert error["frames"][-1].endswith("f")
    assert "hunter2" not in json.dumps(line)


def test_chain_of_causes_is_told_and_everything_is_cut() -> None:
    def deep(level: int) -> None:
        if level:
            deep(level - 1)
        raise KeyError("k" * 10_000)

    def outermost() -> None:
        try:
            deep(200)
        except KeyError as cause:
            raise ValueError("outer") from cause

    with pytest.raises(ValueError, match="outer") as caught:
        outermost()
    outer, inner = describe_exception(caught.value)
    assert (outer["type"], inner["type"]) == ("ValueError", "KeyError")
    assert len(inner["message"]) == MESSAGE_LENGTH_MAX
    assert len(inner["frames"]) == FRAMES_MAX


def test_configuring_is_left_to_the_process() -> None:
    assert not any(type(handler.formatter).__module__.startswith("structlog") for handler in logging.root.handlers)
