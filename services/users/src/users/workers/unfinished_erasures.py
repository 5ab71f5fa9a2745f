"""Wipes what is left of erased users after a crash, or was linked while they were being erased."""

from kit.runtime import Runtime
from kit.workers import Worker
from users.operations.erasure import finish_erasures


def unfinished_erasures(runtime: Runtime, *, interval_s: float) -> Worker:
    """Replicas may run it at once."""

    async def run_once() -> None:
        await finish_erasures(runtime)

    return Worker(name="unfinished-erasures", interval_s=interval_s, run_once=run_once)
