"""`Idempotency-Key`: one effect and one answer."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from gateway_stand_in import Client, GatewayStandIn
from mock_store import mock_client
from note_keys import TITLE, code, create, notes, records, replayed
from notes_service import GATEWAY_KEY, USER, notes_app

from kit.clock import FixedClock
from kit.idempotency import KEPT_H, PURGE_BATCH, Idempotency, IdempotencyRecord
from kit.ids import is_id, new_id
from kit.problems import RateLimited, Unavailable
from kit.store import StoreClient

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 6, 1, tzinfo=UTC)
OTHER = "0190b6a0-0000-7000-8000-000000000002"


async def test_same_request_gets_the_first_answer_again(user: Client, client: StoreClient) -> None:
    first, second = await create(user), await create(user)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert is_id(first.json()["noteId"])
    assert (replayed(first), replayed(second)) == (False, True)
    assert second.headers["etag"] == first.headers["etag"]
    assert second.headers["content-type"] == "application/json"
    assert len(await notes(client)) == 1


async def test_without_a_key_nothing_is_remembered(user: Client, client: StoreClient) -> None:
    await create(user, None)
    assert code(await create(user, None)) == (409, "already-exists")
    assert await records(client).count({}) == 0


async def test_another_body_or_query_with_the_same_key_is_refused(user: Client) -> None:
    await create(user)
    assert code(await create(user, body={"title": "second"})) == (422, "idempotency-mismatch")
    answer = await user.post("/v1/notes?x=1", json=TITLE, idempotency_key="k1")
    assert code(answer) == (422, "idempotency-mismatch")
    assert replayed(await create(user))


async def test_key_belongs_to_its_caller_and_path(gateway: GatewayStandIn, user: Client) -> None:
    first = await user.post("/v1/notes/ping", idempotency_key="k1")
    others = [
        await gateway.as_(OTHER).post("/v1/notes/ping", idempotency_key="k1"),
        await gateway.anonymous().post("/v1/notes/ping", idempotency_key="k1"),
        await user.post("/v1/notes/share", idempotency_key="k1"),
        await user.post("/v1/notes/ping", idempotency_key="k2"),
    ]
    assert all(other.status_code == 200 and not replayed(other) for other in others)
    assert len({first.json()["actionId"], *(other.json().get("actionId") for other in others)}) == 5


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\t", "é"])
async def test_malformed_key_is_refused_at_its_name(user: Client, key: str) -> None:
    answer = await user.request("POST", "/v1/notes", json=TITLE, headers={"Idempotency-Key": key.encode()})
    assert code(answer) == (422, "invalid-request")
    assert answer.json()["errors"][0]["pointer"] == "/Idempotency-Key"


async def test_final_refusal_is_replayed_as_it_was(user: Client, app: FastAPI) -> None:
    answers = [await user.post("/v1/notes/refuse/taken", idempotency_key="k1") for _ in range(3)]
    assert [code(answer) for answer in answers] == [(409, "already-exists")] * 3
    assert [replayed(answer) for answer in answers] == [False, True, True]
    assert answers[2].headers["content-type"] == "application/problem+json"
    assert app.state.hooks.runs == 1


@pytest.mark.parametrize("what", ["limited", "closed", "waiting", "stale"])
async def test_refusal_that_is_not_final_gives_the_key_free(
    user: Client, app: FastAPI, client: StoreClient, what: str
) -> None:
    for _ in range(3):
        assert not replayed(await user.post(f"/v1/notes/refuse/{what}", idempotency_key="k1"))
    assert app.state.hooks.runs == 3
    assert await records(client).count({}) == 0


async def test_bad_body_is_refused_before_anything_is_remembered(user: Client, client: StoreClient) -> None:
    answer = await user.post(
        "/v1/notes", content=b"{", headers={"Content-Type": "application/json"}, idempotency_key="k1"
    )
    assert code(answer) == (422, "invalid-request")
    assert await records(client).count({}) == 0
    assert (await create(user)).status_code == 201


async def test_second_request_while_the_first_runs_is_told_to_wait(user: Client, app: FastAPI) -> None:
    running, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        running.set()
        await go_on.wait()

    app.state.hooks.after_write = hold
    first = asyncio.create_task(create(user))
    await running.wait()
    answer = await create(user)
    assert code(answer) == (409, "idempotency-running")
    assert answer.headers["retry-after"]
    go_on.set()
    assert (await first).status_code == 201
    assert replayed(await create(user))


async def test_unknown_outcome_is_run_again_with_the_same_id(user: Client, app: FastAPI, client: StoreClient) -> None:
    async def fail() -> None:
        raise Unavailable

    app.state.hooks.after_write = fail
    assert code(await create(user)) == (503, "unavailable")
    (written,) = await notes(client)
    app.state.hooks.after_write = None
    answer = await create(user)
    assert (answer.status_code, answer.json()["noteId"]) == (201, written.id)
    assert code(await create(user, body={"title": "other"})) == (422, "idempotency-mismatch")
    assert len(await notes(client)) == 1


async def test_refusal_of_a_later_run_keeps_the_id(user: Client, app: FastAPI, client: StoreClient) -> None:
    async def refuse(problem: Exception) -> None:
        raise problem

    app.state.hooks.after_write = lambda: refuse(Unavailable())
    await create(user)
    app.state.hooks.after_write = lambda: refuse(RateLimited())
    assert code(await create(user)) == (429, "rate-limited")
    app.state.hooks.after_write = None
    (written,) = await notes(client)
    assert (await create(user)).json()["noteId"] == written.id


async def test_only_digests_are_kept_of_the_request_and_no_secrets_of_the_answer(
    user: Client, client: StoreClient
) -> None:
    first = await user.post("/v1/notes/share", idempotency_key="key-hunter2")
    again = await user.post("/v1/notes/share", idempotency_key="key-hunter2")
    assert first.json()["key"] == "omk_hunter2"
    assert again.json() == {"noteId": first.json()["noteId"], "parts": [{"name": "a"}]}
    (record,) = await records(client).find({}, limit=2)
    assert "hunter2" not in record.model_dump_json()
    await create(user, "k2", {"title": "hunter2-in-the-body"})
    kept = await records(client).find({"_id": {"$ne": record.id}}, limit=2)
    assert kept[0].fingerprint != record.fingerprint
    assert "hunter2" not in kept[0].fingerprint


async def test_digests_are_keyed(tmp_path: Path, client: StoreClient) -> None:
    for cursor_key in ("a" * 32, "b" * 32):
        app = notes_app(tmp_path, client, cursor_key=cursor_key)
        async with GatewayStandIn(app, "notes", GATEWAY_KEY.encode()) as gateway:
            await gateway.as_(USER).post("/v1/notes/ping", idempotency_key="k1")
    assert len({record.fingerprint for record in await records(client).find({}, limit=5)}) == 2


class TestReplayOnly:
    """The gateway found a reference missing: an answer may be replayed, nothing may be done."""

    async def test_kept_answer_is_replayed(self, user: Client) -> None:
        await create(user)
        assert replayed(await create(user, replay_only=True))

    async def test_nothing_is_done_without_one(self, user: Client, client: StoreClient) -> None:
        assert code(await create(user, replay_only=True)) == (428, "references-not-validated")
        assert code(await create(user, None, replay_only=True)) == (428, "references-not-validated")
        assert await records(client).count({}) == 0
        assert await notes(client) == []

    async def test_released_key_is_not_taken_over_nor_taken_for_a_refusal(self, user: Client, app: FastAPI) -> None:
        async def fail() -> None:
            raise Unavailable

        app.state.hooks.after_write = fail
        await create(user)
        app.state.hooks.after_write = None
        assert code(await create(user, replay_only=True)) == (503, "unavailable")
        assert (await create(user)).status_code == 201

    async def test_mismatch_is_still_told(self, user: Client) -> None:
        await create(user)
        answer = await create(user, body={"title": "other"}, replay_only=True)
        assert code(answer) == (422, "idempotency-mismatch")


async def test_records_are_purged_after_their_time_in_batches(tmp_path: Path) -> None:
    client, clock = mock_client(), FixedClock(NOW)
    store = client.database("omnitrade_notes")
    await store.prepare([IdempotencyRecord])
    keeper = Idempotency(store, b"k" * 32, clock)

    def record(age: timedelta) -> IdempotencyRecord:
        return IdempotencyRecord(
            id=new_id(),
            fingerprint="f",
            resource_id=new_id(),
            token=new_id(),
            state="done",
            lease_until=NOW,
            created_at=NOW - age,
        )

    await records(client).insert_many([record(timedelta(hours=KEPT_H, seconds=1)) for _ in range(PURGE_BATCH + 3)])
    await records(client).insert_many([record(timedelta(hours=24)) for _ in range(3)])
    await keeper.purge()
    assert await records(client).count({}) == 3
