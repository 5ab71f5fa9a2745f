"""A new mongod becomes a replica set of one, an old one is left as it is."""

from typing import Any

import pytest
from pymongo.errors import AutoReconnect, OperationFailure

from kit.store import administration

pytestmark = pytest.mark.anyio
ADDRESS = "127.0.0.1:27117"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Node:
    """A mongod as far as it matters here: `hellos` are its answers in order, the last one for ever."""

    def __init__(self, hellos: list[Any], initiate: Exception | None = None) -> None:
        self.hellos = hellos
        self.initiate = initiate
        self.configurations: list[Any] = []
        self.admin = self
        self.is_closed = False

    async def command(self, name: str, configuration: Any = None) -> dict[str, Any]:
        if name == "replSetInitiate":
            self.configurations.append(configuration)
            if self.initiate is not None:
                raise self.initiate
            return {"ok": 1}
        answer = self.hellos.pop(0) if len(self.hellos) > 1 else self.hellos[0]
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    def close(self) -> None:
        self.is_closed = True


def at_hand(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(administration, "AsyncIOMotorClient", lambda *_, **__: node)


async def test_new_node_is_initiated_once_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node([{}, {"setName": "omnitrade"}, {"setName": "omnitrade", "isWritablePrimary": True}])
    at_hand(node, monkeypatch)
    await administration.initiate_replica_set(ADDRESS, "omnitrade", 5)
    assert node.configurations == [{"_id": "omnitrade", "members": [{"_id": 0, "host": ADDRESS}]}]
    assert node.is_closed


async def test_node_of_an_earlier_start_is_not_initiated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(
        [AutoReconnect("starting"), {"setName": "omnitrade"}, {"setName": "omnitrade", "isWritablePrimary": True}]
    )
    at_hand(node, monkeypatch)
    await administration.initiate_replica_set(ADDRESS, "omnitrade", 5)
    assert node.configurations == []


async def test_node_that_was_initiated_meanwhile_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node([{}, {"isWritablePrimary": True}], OperationFailure("already initialized", 23))
    at_hand(node, monkeypatch)
    await administration.initiate_replica_set(ADDRESS, "omnitrade", 5)


async def test_node_that_never_becomes_a_primary_is_an_error_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    at_hand(Node([{"setName": "omnitrade"}]), monkeypatch)
    with pytest.raises(TimeoutError, match=r"127\.0\.0\.1:27117 did not become the primary of omnitrade within 0\.2 s"):
        await administration.initiate_replica_set(ADDRESS, "omnitrade", 0.2)


async def test_refusal_to_be_initiated_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    at_hand(Node([{}], OperationFailure("not authorized", 13)), monkeypatch)
    with pytest.raises(OperationFailure):
        await administration.initiate_replica_set(ADDRESS, "omnitrade", 5)


async def test_store_answers_or_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    at_hand(Node([AutoReconnect("starting"), {}]), monkeypatch)
    assert await administration.answers("mongodb://127.0.0.1", 5)
    at_hand(Node([AutoReconnect("gone")]), monkeypatch)
    assert not await administration.answers("mongodb://127.0.0.1", 0.2)
