"""Named steps of the protocol at which a process kills itself, so that tests of real processes hit each of them.

FAULT_POINT=<name> or <name>:<n> (the n-th time) in the environment of one process; never in production, see
`kit.settings`. The kill is SIGKILL: nothing is finished, flushed or closed.
"""

import os
import signal

# What a service does for a delete when the gateway asks: reached as it begins, and when it is done but not answered.
OPERATIONS = ("begin", "refuse", "purge", "finish", "report", "close", "apply", "look", "remove", "reopen")
# Between two writes of one such operation.
WITHIN = ("begin:recorded", "close:written", "close:voided", "apply:forced", "remove:removed", "finish:removed")
# In the gateway, as an answer of a service has come and nothing followed from it yet.
COORDINATED = ("plan", "count", "resume", *OPERATIONS)
NAMES = frozenset(
    [f"{operation}:{moment}" for operation in OPERATIONS for moment in ("begin", "done")]
    + [*WITHIN]
    + [f"coordinator:{operation}" for operation in COORDINATED]
)

_name: str | None = None
_times_left = 0


class UnknownFaultPoint(ValueError):  # noqa: N818 (it says what is wrong)
    """No step has this name."""


def configure(spec: str | None) -> None:
    """Die at this step from now on; None for never. Raises UnknownFaultPoint."""
    global _name, _times_left  # a process has one
    _name, _times_left = (None, 0) if spec is None else parse(spec)


def parse(spec: str) -> tuple[str, int]:
    """ "close:written:3" as the step and the time at which it is deadly. Raises UnknownFaultPoint."""
    head, _, tail = spec.rpartition(":")
    name, times = (head, int(tail)) if tail.isdecimal() else (spec, 1)
    if name not in NAMES or times < 1:
        raise UnknownFaultPoint(f"{spec!r} is no fault point: write one of {', '.join(sorted(NAMES))}, or <name>:<n>")
    return name, times


def reached(name: str) -> None:
    """This step is reached: one comparison, unless it is the deadly one."""
    if name == _name:
        _count()


def _count() -> None:
    global _times_left  # noqa: PLW0603 - see configure
    _times_left -= 1
    if _times_left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
