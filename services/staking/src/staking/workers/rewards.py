"""Distributes each day when it is over, and brings to an end what a crash left half made."""

from kit.runtime import Runtime
from kit.workers import Worker
from staking.operations.distributions import distribute_due
from staking.operations.ledger.ledger import Ledger
from staking.operations.unfinished import finish_unfinished


def distributor(runtime: Runtime, ledger: Ledger, *, interval_s: float) -> Worker:
    """Replicas may run it at once: every stake is paid once."""

    async def run_once() -> None:
        await distribute_due(runtime, ledger)

    return Worker(name="distributor", interval_s=interval_s, run_once=run_once)


def finisher(runtime: Runtime, ledger: Ledger, *, interval_s: float) -> Worker:
    """Replicas may run it at once: whoever ends it, the outcome is the same."""

    async def run_once() -> None:
        await finish_unfinished(runtime, ledger)

    return Worker(name="finisher", interval_s=interval_s, run_once=run_once)
