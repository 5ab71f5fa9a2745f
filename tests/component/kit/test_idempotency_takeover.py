"""`Idempotency-Key` when a process dies, is slow, or is one of several: still one effect and one answer."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from gateway_stand_in import Client, GatewayStandIn
from mock_store import faulty_client
from note_keys import code, create, notes, records, replayed
from notes_service import GATEWAY_KEY, USER, notes_app

from kit.clock import FixedClock
from kit.problems import Unavailable
from kit.references.deletes.deleting import DeletePlan
from kit.store import StoreClient

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 6, 1, tzinfo=UTC)


class TestCrash:
    """The process ends between the write and the stored answer: the record stays as it was made."""

    @pytest.fixture
    def clock(self) -> FixedClock:
        return FixedClock(NOW)

    @pytest.fixture
    def app(self, tmp_path: Path, client: StoreClient, clock: FixedClock) -> FastAPI:
        return notes_app(tmp_path, client, clock=clock)

    async def crash(self, user: Client, app: FastAPI) -> None:
        async def die() -> None:
            raise asyncio.CancelledError

        app.state.hooks.after_write = die
        with pytest.raises(asyncio.CancelledError):
            await create(user)
        app.state.hooks.after_write = None

    async def test_key_is_taken_over_when_the_lease_ran_out(
        self, user: Client, app: FastAPI, client: StoreClient, clock: FixedClock
    ) -> None:
        await self.crash(user, app)
        assert code(await create(user)) == (409, "idempotency-running")
        clock.advance(60)
        answer = await create(user)
        (written,) = await notes(client)
        assert (answer.status_code, answer.json()["noteId"]) == (201, written.id)
        assert not replayed(answer)
        assert replayed(await create(user))

    async def test_what_was_deleted_since_is_not_made_again(
        self, user: Client, app: FastAPI, client: StoreClient, clock: FixedClock
    ) -> None:
        """Under its old id nothing could refer to it: every child's service has closed that."""
        await self.crash(user, app)
        (written,) = await notes(client)
        deletions = app.state.runtime.references.deletions
        begun = await deletions.begin("notes", "notes", DeletePlan(written.id), USER)
        clock.advance(60)
        await deletions.purge(begun.deletion_id, begun.epoch, [])
        await deletions.finish(begun.deletion_id, begun.epoch, {})
        assert await notes(client) == []
        for _ in range(2):
            assert code(await create(user)) == (409, "resource-deleted")
        assert await notes(client) == []
        answer = await create(user, key="another")
        assert answer.json()["noteId"] != written.id

    async def test_another_body_does_not_take_it_over(self, user: Client, app: FastAPI, clock: FixedClock) -> None:
        await self.crash(user, app)
        clock.advance(60)
        assert code(await create(user, body={"title": "other"})) == (422, "idempotency-mismatch")

    async def test_first_run_that_was_only_slow_does_not_touch_the_second_ones_answer(
        self, user: Client, app: FastAPI, client: StoreClient, clock: FixedClock
    ) -> None:
        running, go_on = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            app.state.hooks.after_write = None
            running.set()
            await go_on.wait()
            raise Unavailable

        app.state.hooks.after_write = hold
        slow = asyncio.create_task(create(user))
        await running.wait()
        clock.advance(60)
        second = await create(user)
        before = await records(client).find({}, limit=2)
        go_on.set()
        assert code(await slow) == (503, "unavailable")
        assert await records(client).find({}, limit=2) == before
        assert (await create(user)).json() == second.json()


async def test_only_one_of_several_takes_a_key_over(tmp_path: Path) -> None:
    for seed in range(10):
        client, faults = faulty_client(seed)
        clock = FixedClock(NOW)
        app = notes_app(tmp_path, client, clock=clock)

        async def linger() -> None:
            await asyncio.sleep(0.02)

        async with GatewayStandIn(app, "notes", GATEWAY_KEY.encode()) as gateway:
            user = gateway.as_(USER)
            faults.add("lose", "insert_many", "idempotency_records")
            assert code(await create(user)) == (503, "unavailable")
            clock.advance(60)
            app.state.hooks.after_write = linger
            answers = await asyncio.gather(*(create(user) for _ in range(4)))
            assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
            assert app.state.hooks.runs == 1


async def test_two_replicas_at_once_make_one_note(tmp_path: Path) -> None:
    for seed in range(10):
        client, _ = faulty_client(seed)
        first, second = notes_app(tmp_path, client), notes_app(tmp_path, client)
        key = GATEWAY_KEY.encode()
        async with GatewayStandIn(first, "notes", key) as one, GatewayStandIn(second, "notes", key) as two:
            tries = [create(replica.as_(USER)) for replica in (one, two, one, two)]
            answers = await asyncio.gather(*tries)
            made = {answer.json()["noteId"] for answer in answers if answer.status_code == 201}
            assert len(made) == 1
            assert {code(answer) for answer in answers if answer.status_code != 201} <= {(409, "idempotency-running")}
            assert len(await notes(client)) == 1
            assert replayed(await create(one.as_(USER)))


@pytest.mark.parametrize("operation", ["insert_many", "insert_one", "bulk_write", "update_one", "find_one"])
@pytest.mark.parametrize("kind", ["refuse", "lose"])
async def test_failing_store_never_makes_two(tmp_path: Path, operation: str, kind: str) -> None:
    for skip in range(3):
        faulty, faults = faulty_client(skip)
        clock = FixedClock(NOW)
        app = notes_app(tmp_path, faulty, clock=clock)
        async with GatewayStandIn(app, "notes", GATEWAY_KEY.encode()) as gateway:
            faults.add(kind, operation, skip=skip)
            user = gateway.as_(USER)
            answers = []
            for _ in range(6):
                answers.append(await create(user))
                clock.advance(60)
            assert {answer.status_code for answer in answers} <= {201, 503}
            assert replayed(answers[-1])
            assert len(await notes(faulty)) == 1
