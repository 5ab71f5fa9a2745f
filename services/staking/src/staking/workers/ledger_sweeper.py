"""Drives on the movements that a crash left behind."""

from datetime import timedelta

from kit.workers import Worker
from staking.operations.ledger.ledger import Ledger


def ledger_sweeper(ledger: Ledger, *, interval_s: float, after_s: float) -> Worker:
    """Replicas may run it at once: whoever drives a movement, the outcome is the same."""

    async def run_once() -> None:
        await ledger.sweep(older_than=timedelta(seconds=after_s))

    return Worker(name="ledger sweeper", interval_s=interval_s, run_once=run_once)
