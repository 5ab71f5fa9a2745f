"""What a DELETE's client is told, and when: what it preferred, by its deadline, when the gateway stops, and what to do
after a failure."""

import asyncio
from typing import Any

import httpx
import pytest
from api import pointers, problem
from stub_deletes import CHILD, DELETION, OWNER, StubDeletes
from stub_platform import ALICE
from stub_services import Seen

pytestmark = pytest.mark.anyio

PATH = f"/v1/users/{ALICE}"
BLOCK = {"relationship": "trading_bots.userId", "count": 1, "ids": ["b1"]}
BLOCKED = (200, {"stale": [], "blockedBy": [BLOCK], "rules": []})


@pytest.fixture
async def alice(platform: Any, deletes: StubDeletes) -> Any:
    async with platform.gateway() as client:
        yield client


class TestDeadline:
    async def test_owner_that_hangs_when_it_is_read_delays_no_answer_beyond_it(
        self, platform: Any, deletes: StubDeletes
    ) -> None:
        """The deletion's name is all that has to be said."""
        never = asyncio.Event()

        async def hangs(_: Seen, __: Any) -> None:
            await never.wait()

        platform.users.answers["POST", OWNER + "read"] = hangs
        deletes.says("close", (500, {}))
        loop = asyncio.get_running_loop()
        async with platform.gateway(request_timeout_s=2, delete_wait_s=28) as client:
            began = loop.time()
            answer = await client.delete(PATH)
            took_s = loop.time() - began
            assert answer.status_code == 202, answer.text
            assert answer.headers["location"] == f"/v1/deletions/{DELETION}"
            assert answer.json() == {"deletionId": DELETION, "entity": "users", "id": ALICE}
            never.set()
        assert took_s < 2.3


class TestPreference:
    @pytest.mark.parametrize("lines", [["respond-async", "wait=10"], ["wait=10", "respond-async"], ["Respond-Async"]])
    async def test_is_seen_on_any_line_and_its_use_is_said(
        self, platform: Any, deletes: StubDeletes, lines: list[str]
    ) -> None:
        deletes.says("close", (500, {}))
        async with platform.gateway(delete_wait_s=28) as client:
            async with asyncio.timeout(5):
                answer = await client.delete(PATH, headers=[("prefer", line) for line in lines])
        assert answer.status_code == 202, answer.text
        assert answer.headers["preference-applied"] == "respond-async"

    async def test_use_of_none_is_not_said(self, alice: Any, deletes: StubDeletes) -> None:
        deletes.says("close", (500, {}))
        answer = await alice.delete(PATH, headers={"prefer": "wait=10"})
        assert answer.status_code == 202, answer.text
        assert "preference-applied" not in answer.headers


class TestStop:
    """Nobody waits for what another gateway ends, or this one after its restart."""

    async def test_whoever_waits_for_the_end_is_told_where_to_follow_it(
        self, platform: Any, deletes: StubDeletes, eventually: Any
    ) -> None:
        deletes.says("close", (500, {}))
        async with platform.gateway(delete_wait_s=28) as client:
            waiting = [asyncio.create_task(client.delete(PATH)) for _ in range(2)]
            await eventually(lambda: len(deletes.asked("begin")) == 2 and deletes.asked("close"))
            platform.app.hurry()
            async with asyncio.timeout(5):
                answers = await asyncio.gather(*waiting)
        for answer in answers:
            goes_on(answer)

    async def test_delete_that_comes_later_does_not_wait(self, platform: Any, deletes: StubDeletes) -> None:
        deletes.says("close", (500, {}))
        async with platform.gateway(delete_wait_s=28) as client:
            platform.app.hurry()
            async with asyncio.timeout(5):
                goes_on(await client.delete(PATH))

    async def test_count_that_hangs_is_given_up(
        self, platform: Any, deletes: StubDeletes, eventually: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.deletion.door.COUNT_TIMEOUT_S", 28)
        never = asyncio.Event()

        async def hangs(_: Seen, __: Any) -> None:
            await never.wait()

        platform.bots.answers["POST", CHILD + "count"] = hangs
        deletes.says("close", (500, {}))
        async with platform.gateway(delete_wait_s=28) as client:
            waiting = asyncio.create_task(client.delete(PATH))
            await eventually(lambda: deletes.asked("count"))
            platform.app.hurry()
            async with asyncio.timeout(5):
                goes_on(await waiting)
            never.set()

    @pytest.mark.parametrize(
        ("said", "status"), [((200, {"stale": [], "blockedBy": [], "rules": []}), 204), (BLOCKED, 409)]
    )
    async def test_what_ends_within_a_moment_is_answered_as_ever(
        self, platform: Any, deletes: StubDeletes, monkeypatch: pytest.MonkeyPatch, said: tuple[int, Any], status: int
    ) -> None:
        monkeypatch.setattr("gateway.deletion.patience.GRACE_S", 20)
        deletes.says("close", said)
        async with platform.gateway(delete_wait_s=20) as client:
            platform.app.hurry()
            assert (await client.delete(PATH)).status_code == status


def goes_on(answer: httpx.Response) -> None:
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/deletions/{DELETION}"
    assert "preference-applied" not in answer.headers


async def test_several_versions_asked_for_are_refused_and_none_is_picked(alice: Any, deletes: StubDeletes) -> None:
    answer = await alice.delete(PATH, headers=[("if-match", '"1"'), ("if-match", '"2"')])
    assert pointers(problem(answer, 422, "invalid-request")) == {"/If-Match"}
    assert deletes.asked("plan") == []


class TestCountWithoutFence:
    async def test_is_spared_where_the_document_is_in_deletion(self, alice: Any, deletes: StubDeletes) -> None:
        """Something was changed already, and whoever began it has to end it."""
        deletes.state, deletes.epoch = "purging", 1
        deletes.says("count", BLOCKED)
        deletes.says("look", (200, {"left": ["trading_bots.userId"]}))
        deletes.says("plan", (200, {**deletes._plan({}), "inDeletion": True}))
        answer = await alice.delete(PATH)
        assert answer.status_code == 202, answer.text
        assert deletes.asked("count") == []

    @pytest.mark.parametrize("said", [{}, {"inDeletion": False}, {"inDeletion": "yes"}])
    async def test_refuses_where_the_owner_does_not_say_so(
        self, alice: Any, deletes: StubDeletes, said: dict[str, Any]
    ) -> None:
        deletes.says("count", BLOCKED)
        deletes.says("plan", (200, {**deletes._plan({}), **said}))
        document = problem(await alice.delete(PATH), 409, "delete-restricted")
        assert document["blockedBy"] == [BLOCK]
        assert deletes.asked("begin") == []


async def test_delete_whose_service_died_may_simply_be_repeated(
    platform: Any, alice: Any, deletes: StubDeletes
) -> None:
    async def dies(_: Seen, __: Any) -> None:
        raise ConnectionResetError

    platform.users.answers["POST", OWNER + "begin"] = dies
    document = problem(await alice.delete(PATH), 503, "unavailable")
    assert "repeated" in document["detail"]
    assert "Idempotency-Key" not in document["detail"]
