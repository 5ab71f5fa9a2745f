"""What the store's refusals mean: whether a write may have taken effect decides what may be answered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    DuplicateKeyError,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
    WTimeoutError,
)

from kit.store import DuplicateKey, StoreClient, StoreUnavailable, UnsuitableStore
from kit.store.errors import StoreContended
from kit.store.rows import translated

DUPLICATE = {"index": 0, "code": 11000}
NO_MAJORITY = {"code": 64, "errmsg": "waiting for replication timed out"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def bulk(*errors: dict[str, Any], unconfirmed: bool = False) -> BulkWriteError:
    return BulkWriteError({"writeErrors": [*errors], "writeConcernErrors": [NO_MAJORITY] if unconfirmed else []})


@pytest.mark.parametrize(
    "error",
    [
        WriteConcernError("no majority has it", 64),
        WTimeoutError("no majority has it in time", 64),
        NotPrimaryError("not primary"),
        AutoReconnect("the connection closed"),
        OperationFailure("primary stepped down", 189),
        bulk(unconfirmed=True),
        bulk(DUPLICATE, unconfirmed=True),
        bulk(DUPLICATE, {"index": 1, "code": 10107}),
    ],
    ids=repr,
)
def test_write_that_no_majority_confirmed_may_have_taken_effect(error: PyMongoError) -> None:
    found = translated(error, "desks")
    assert isinstance(found, StoreUnavailable)
    assert found.sent


def test_write_that_no_server_was_found_for_has_not() -> None:
    found = translated(ServerSelectionTimeoutError("no primary"), "desks")
    assert isinstance(found, StoreUnavailable)
    assert not found.sent


def test_value_that_is_taken_and_writes_that_met_are_told_apart() -> None:
    assert isinstance(translated(DuplicateKeyError("taken", 11000), "desks"), DuplicateKey)
    assert isinstance(translated(OperationFailure("write conflict", 112), "desks"), StoreContended)


class WithoutSessions:
    """A cluster's driver, for a server that has no sessions."""

    async def start_session(self, **_: Any) -> Any:
        raise ConfigurationError("Sessions are not supported by this MongoDB deployment")


@pytest.mark.anyio
async def test_cluster_without_causally_consistent_sessions_is_refused() -> None:
    motor: Any = WithoutSessions()
    with pytest.raises(UnsuitableStore, match=r"references can't be kept on it: Sessions are not supported"):
        await StoreClient(motor, causal=True)._prove_majority_reads()


class WithoutTimes:
    """A cluster's driver, for a server whose answers carry no operationTime."""

    cluster_time: ClassVar = {"clusterTime": 1}
    operation_time = None

    @asynccontextmanager
    async def _session(self) -> AsyncIterator["WithoutTimes"]:
        yield self

    async def start_session(self, **_: Any) -> Any:
        return self._session()

    def get_database(self, *_: Any, **__: Any) -> Any:
        return {"system.version": self}

    async def find_one(self, *_: Any, **__: Any) -> None:
        return None


@pytest.mark.anyio
async def test_cluster_that_does_not_tell_operation_times_is_refused() -> None:
    motor: Any = WithoutTimes()
    with pytest.raises(UnsuitableStore, match="operationTime"):
        await StoreClient(motor, causal=True)._prove_majority_reads()
