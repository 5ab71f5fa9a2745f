"""Distributions: a period over all pools, and in one pool."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from kit.documents import Record
from kit.store.indexes import index


class Distribution(Record):
    """`_id` is the period. Its totals are the sums over its `PoolDistribution`s."""

    state: str
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None

    class Settings:
        name = "distributions"
        indexes: ClassVar = [index("state")]


class PoolDistribution(Record):
    """`_id` is the pool's id and the period. The totals are counted by the movements that pay, so they are exact.
    `is_spent`: the pool's budget no longer covered what its stakes would earn."""

    period: str
    pool_id: str
    batches: int = 0
    stakes_paid: int = 0
    amount_paid: int = 0
    is_spent: bool = False
    version: int = 1
    marks: dict[str, Any] = Field(default_factory=dict)

    class Settings:
        name = "pool_distributions"
        indexes: ClassVar = [index("period")]
