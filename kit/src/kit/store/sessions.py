"""Causally consistent sessions, where the store is a cluster; a single node needs none."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import reduce
from typing import Any

from bson import Timestamp
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in the cluster's order of writes. What is read after it sees everything that was written before it."""

    cluster_time: Mapping[str, Any]
    operation_time: Timestamp


class Session:
    """One session of one batch; never shared by operations that run at once."""

    __slots__ = ("raw",)

    def __init__(self, raw: AsyncIOMotorClientSession) -> None:
        self.raw = raw

    def advance(self, moment: Moment | None) -> None:
        if moment is not None:
            self.raw.advance_cluster_time(moment.cluster_time)
            self.raw.advance_operation_time(moment.operation_time)

    @property
    def moment(self) -> Moment | None:
        # Motor's stubs take these properties for methods.
        cluster_time: Any = self.raw.cluster_time
        operation_time: Any = self.raw.operation_time
        if operation_time is None or cluster_time is None:
            return None
        return Moment(cluster_time, operation_time)


@asynccontextmanager
async def causal_session(client: "AsyncIOMotorClient[dict[str, Any]]") -> AsyncIterator[Session]:
    async with await client.start_session(causal_consistency=True) as raw:
        yield Session(raw)


def latest(one: Moment | None, other: Moment | None) -> Moment | None:
    if one is None or other is None:
        return one or other
    return one if one.operation_time >= other.operation_time else other


def latest_of(moments: Iterable[Moment | None]) -> Moment | None:
    return reduce(latest, moments, None)
