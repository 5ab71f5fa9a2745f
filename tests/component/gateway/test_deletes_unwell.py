"""Deletes over services that are down, slow, or answer what makes no sense: waited for, never guessed."""

import asyncio
from typing import Any

import httpx
import pytest
from api import problem
from stub_deletes import CHILD, DELETION, OWNER, StubDeletes
from stub_platform import ALICE, BOB
from stub_services import Json, Seen

pytestmark = pytest.mark.anyio

PATH = f"/v1/users/{ALICE}"
WHERE = f"/v1/deletions/{DELETION}"
BLOCK = {"relationship": "trading_bots.userId", "count": 1, "ids": ["b1"]}
OWNERS = ["plan", "begin"]
LATER = ["close", "apply", "look", "purge", "finish"]
NONSENSE: list[tuple[int, Any]] = [
    (200, b"not json"),
    (200, [1]),
    (200, {}),
    (200, {"state": 1, "stale": 2, "setNull": "x", "left": {}, "relationships": 3, "entity": None}),
    (500, {"oops": True}),
    (404, {"status": 404, "code": "not-found", "detail": "no route"}),
    (409, {"status": 409, "code": "relationship-unknown", "detail": "not declared"}),
]


@pytest.fixture
async def alice(platform: Any, deletes: StubDeletes) -> Any:
    async with platform.gateway() as client:
        yield client


def followed(answer: httpx.Response) -> None:
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == WHERE


class TestGarbage:
    @pytest.mark.parametrize("words", NONSENSE[:5])
    @pytest.mark.parametrize("step", OWNERS)
    async def test_owner_that_makes_no_sense_is_unavailable(
        self, alice: Any, deletes: StubDeletes, step: str, words: Any
    ) -> None:
        deletes.says(step, words)
        problem(await alice.delete(PATH), 503, "unavailable")
        assert deletes.asked("close") == []

    @pytest.mark.parametrize("words", NONSENSE)
    @pytest.mark.parametrize("step", LATER)
    async def test_whatever_else_makes_no_sense_is_waited_for(
        self, alice: Any, deletes: StubDeletes, eventually: Any, step: str, words: Any
    ) -> None:
        deletes.says(step, words)
        followed(await alice.delete(PATH))
        await eventually(lambda: deletes.waiting)
        assert deletes.state == ("deleting" if step in ("close", "purge") else "purging")
        del deletes.words[step]
        await eventually(lambda: deletes.state == "done")

    @pytest.mark.parametrize("words", NONSENSE)
    async def test_first_count_that_makes_no_sense_is_left_to_the_one_behind_the_fence(
        self, alice: Any, deletes: StubDeletes, words: Any
    ) -> None:
        deletes.says("count", words)
        assert (await alice.delete(PATH)).status_code == 204
        deletes.state = "active"
        deletes.says("close", (200, {"stale": [], "blockedBy": [BLOCK], "rules": []}))
        document = problem(await alice.delete(PATH), 409, "delete-restricted")
        assert document["blockedBy"] == [BLOCK]

    async def test_owner_that_speaks_of_another_document_or_deletion_is_not_followed(
        self, alice: Any, deletes: StubDeletes
    ) -> None:
        deletes.says("begin", (200, lambda _: deletes.standing(state="deleting", epoch=1, id=BOB)))
        problem(await alice.delete(PATH), 503, "unavailable")
        assert deletes.asked("close") == []
        deletes.says("begin", (200, lambda _: deletes.standing(state="deleting", epoch=1)))
        deletes.says("purge", (200, lambda _: deletes.standing(state="purging", epoch=1, deletionId="users.0002")))
        followed(await alice.delete(PATH))
        assert deletes.asked("apply") == deletes.asked("finish") == []

    @pytest.mark.parametrize("words", NONSENSE[:5])
    async def test_page_that_makes_no_sense_is_unavailable(self, alice: Any, deletes: StubDeletes, words: Any) -> None:
        deletes.says("read", words)
        problem(await alice.get(WHERE), 503, "unavailable")

    async def test_list_that_makes_no_sense_keeps_no_other_owner_from_its_turn(
        self, platform: Any, deletes: StubDeletes, eventually: Any
    ) -> None:
        bad: list[Any] = [7, {}, {"deletionId": 1, "beat": 0}, {"deletionId": "bots.1", "beat": "x"}]
        deletes.says("unfinished", (200, lambda _: {"items": [*bad, *deletes._unfinished({})["items"]]}))
        platform.bots.answers["POST", OWNER + "unfinished"] = platform.bots.answers["POST", CHILD + "look"]
        deletes.says("look", (200, {"items": None}))
        deletes.state, deletes.epoch = "deleting", 1
        async with platform.gateway():
            await eventually(lambda: deletes.asked("purge"))


class TestDown:
    @pytest.mark.parametrize("step", ["close", "apply", "finish"])
    async def test_replica_that_refuses_is_not_the_last_to_be_asked(
        self, alice: Any, deletes: StubDeletes, step: str
    ) -> None:
        usual = getattr(deletes, f"_{step}")
        deletes.says(step, (401, {"detail": "its clock is an hour off"}), (200, lambda seen: usual(seen.json)))
        assert (await alice.delete(PATH)).status_code == 204
        assert (len(deletes.asked(step)), len(deletes.asked("resume"))) == (2, 0)

    async def test_slow_step_is_waited_for_without_the_client(
        self, platform: Any, deletes: StubDeletes, eventually: Any
    ) -> None:
        hanging = platform.bots.answers["POST", CHILD + "apply"]
        released = asyncio.Event()

        async def hangs(seen: Seen, reply: Any) -> None:
            await released.wait()
            await hanging(seen, reply)

        platform.bots.answers["POST", CHILD + "apply"] = hangs
        async with platform.gateway(delete_step_timeout_s=0.2) as client:
            followed(await client.delete(PATH))
            await eventually(lambda: deletes.waiting and "in time" in deletes.waiting[0]["reason"])
            released.set()
            await eventually(lambda: deletes.state == "done")

    @pytest.mark.parametrize("step", LATER[:3])
    async def test_child_that_is_killed_in_the_middle_is_asked_again(
        self, platform: Any, alice: Any, deletes: StubDeletes, eventually: Any, step: str
    ) -> None:
        usual = platform.bots.answers["POST", CHILD + step]

        async def dies(_: Seen, __: Any) -> None:
            platform.bots.answers["POST", CHILD + step] = usual
            raise ConnectionResetError

        platform.bots.answers["POST", CHILD + step] = dies
        answer = await alice.delete(PATH)
        assert answer.status_code in (202, 204)
        await eventually(lambda: deletes.state == "done")

    async def test_resumed_purge_closes_again_before_it_goes_on(
        self, alice: Any, deletes: StubDeletes, eventually: Any
    ) -> None:
        deletes.says("apply", (500, {}))
        followed(await alice.delete(PATH))
        await eventually(lambda: len(deletes.asked("close")) > 1)
        assert {body["count"] for body in deletes.asked("close")[1:]} == {False}
        assert deletes.asked("purge") == deletes.asked("purge")[:1]

    async def test_more_than_a_gateway_follows_at_once_are_left_to_the_sweepers(
        self, alice: Any, deletes: StubDeletes, eventually: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.deletion.coordinator.RUNNING_MAX", 0)
        followed(await alice.delete(PATH))
        await eventually(lambda: deletes.state == "done")


class TestSweeper:
    async def test_deletions_that_only_wait_leave_others_their_turn(
        self, platform: Any, deletes: StubDeletes, eventually: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """More than are driven at once, all of them hopeless, and one behind them that is not."""
        monkeypatch.setattr("gateway.deletion.sweeper.RUNNING_MAX", 2)
        monkeypatch.setattr("gateway.deletion.sweeper.GIVE_UP_AFTER_S", 0.1)
        beats: dict[str, int] = {f"users.{number:04}": 0 for number in range(7)}
        last = "users.0006"
        seen: set[str] = set()

        def resumed(call: Seen) -> Json:
            seen.add(call.json["deletionId"])
            hopeless = [{"relationship": "x.userId", "service": "gone", "onDelete": "CASCADE"}]
            waits = [] if call.json["deletionId"] == last else hopeless
            return deletes.standing(state="deleting", deletionId=call.json["deletionId"], relationships=waits)

        def reported(call: Seen) -> Json:
            beats[call.json["deletionId"]] += 1
            return {}

        deletes.says(
            "unfinished",
            (200, lambda _: {"items": [{"deletionId": one, "beat": beat} for one, beat in beats.items()]}),
        )
        deletes.says("resume", (200, resumed))
        deletes.says("report", (200, reported))
        async with platform.gateway():
            await eventually(lambda: any(body["deletionId"] == last for body in deletes.asked("purge")), within_s=10)
            await eventually(lambda: len(seen) == 7)

    async def test_owner_that_hangs_does_not_hold_up_the_others_for_long(
        self, platform: Any, deletes: StubDeletes, eventually: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.deletion.sweeper.LIST_TIMEOUT_S", 0.2)
        never = asyncio.Event()

        async def hangs(_: Seen, __: Any) -> None:
            await never.wait()

        platform.bots.answers["POST", OWNER + "unfinished"] = hangs
        deletes.state, deletes.epoch = "deleting", 1
        async with platform.gateway():
            await eventually(lambda: deletes.state == "done")
        never.set()

    async def test_taking_over_is_told_before_the_first_step(
        self, platform: Any, deletes: StubDeletes, eventually: Any
    ) -> None:
        deletes.state, deletes.epoch = "deleting", 1
        deletes.says("close", (500, {}))
        async with platform.gateway():
            await eventually(lambda: deletes.asked("close"))
            assert deletes.asked("report")[0]["waitingFor"] == []

    async def test_what_an_owner_lists_is_remembered_no_longer_than_it_is_listed(
        self, platform: Any, deletes: StubDeletes, eventually: Any
    ) -> None:
        many = [{"deletionId": f"users.{number}", "beat": 0} for number in range(3_000)]
        deletes.says("unfinished", (200, {"items": many}))
        deletes.says("resume", (500, {}))
        async with platform.gateway(delete_idle_s=60):
            sweeper = platform.app.running.deletion.sweeper
            await eventually(sweeper._beats.known)
            assert len(sweeper._beats.known()) == 500
            deletes.says("unfinished", (200, {"items": []}))
            await eventually(lambda: not sweeper._beats.known())

    async def test_owner_that_does_not_answer_is_not_forgotten(
        self, platform: Any, deletes: StubDeletes, eventually: Any
    ) -> None:
        deletes.state, deletes.epoch = "deleting", 1
        async with platform.gateway(delete_idle_s=60):
            sweeper = platform.app.running.deletion.sweeper
            await eventually(sweeper._beats.known)
            before = sweeper._beats.known()
            deletes.says("unfinished", (503, {}))
            asked = len(deletes.asked("unfinished"))
            await eventually(lambda: len(deletes.asked("unfinished")) > asked + 2)
            assert sweeper._beats.known() == before
