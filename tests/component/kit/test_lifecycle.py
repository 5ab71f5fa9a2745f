"""A service starts when its store is there, says whether it is ready, and stops in order."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from gateway_stand_in import GatewayStandIn
from mock_store import faulty_client, mock_client
from notes_service import GATEWAY_KEY, Note, NotesSettings, notes_app

from kit.openapi import RouteRefused
from kit.references.planning import ParentsPlan
from kit.routing import KitRoute
from kit.runtime import Runtime
from kit.service import build_service
from kit.store import Store, StoreClient, StoreUnavailable
from kit.workers import Worker

pytestmark = pytest.mark.anyio
KEY = GATEWAY_KEY.encode()


async def test_service_is_live_and_ready_while_its_store_answers(gateway: GatewayStandIn) -> None:
    assert (await gateway.bare("GET", "/health/live")).json() == {"status": "live"}
    assert (await gateway.bare("GET", "/health/ready")).json() == {"status": "ready"}


async def test_service_is_live_but_not_ready_while_its_store_is_away(
    gateway: GatewayStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: Store) -> bool:
        return False

    monkeypatch.setattr(Store, "ping", away)
    answer = await gateway.bare("GET", "/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert (await gateway.bare("GET", "/health/live")).status_code == 200


async def test_store_that_fails_is_503_and_not_a_bug(tmp_path: Path) -> None:
    client, faults = faulty_client()
    async with GatewayStandIn(notes_app(tmp_path, client), "notes", KEY) as gateway:
        faults.add("refuse", "find")
        answer = await gateway.as_(None).get("/v1/notes")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"]
        assert (await gateway.as_(None).get("/v1/notes")).status_code == 200


async def test_workers_run_beside_requests_and_stop_with_the_service(tmp_path: Path) -> None:
    ran, stopped = asyncio.Event(), asyncio.Event()

    def workers(runtime: Runtime) -> Sequence[Worker]:
        async def run_once() -> None:
            assert await runtime.store.collection(Note).count({}) == 0
            ran.set()
            try:
                await asyncio.sleep(60)
            finally:
                stopped.set()

        return [Worker("counter", 0.001, run_once)]

    async with GatewayStandIn(notes_app(tmp_path, mock_client(), workers=workers), "notes", KEY) as gateway:
        await asyncio.wait_for(ran.wait(), 5)
        assert (await gateway.as_(None).get("/v1/notes")).status_code == 200
        assert not stopped.is_set()
    assert stopped.is_set()


async def test_request_before_the_start_or_after_the_end_is_unavailable(tmp_path: Path) -> None:
    gateway = GatewayStandIn(notes_app(tmp_path, mock_client()), "notes", KEY)
    assert (await gateway.bare("GET", "/v1/notes")).status_code == 503
    assert (await gateway.bare("GET", "/health/ready")).status_code == 503
    async with gateway:
        assert (await gateway.bare("GET", "/health/ready")).status_code == 200


async def test_start_waits_for_a_store_that_comes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    async def connect(url: str, **_: Any) -> StoreClient:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise StoreUnavailable
        return mock_client()

    monkeypatch.setattr(StoreClient, "connect", connect)
    async with GatewayStandIn(notes_app(tmp_path, None), "notes", KEY) as gateway:
        assert (await gateway.bare("GET", "/health/ready")).status_code == 200
    assert tries == 3


async def test_start_gives_up_when_no_store_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(url: str, **_: Any) -> StoreClient:
        raise StoreUnavailable

    monkeypatch.setattr(StoreClient, "connect", connect)
    with pytest.raises(StoreUnavailable):
        async with GatewayStandIn(notes_app(tmp_path, None, store_wait_s=0.0), "notes", KEY):
            pass


async def plan_nothing(*_: Any) -> ParentsPlan:
    return ParentsPlan(())


def build(tmp_path: Path, router: APIRouter, *planned: str) -> None:
    settings = NotesSettings(data_dir=tmp_path)
    planners = dict.fromkeys(planned, plan_nothing)
    build_service(name="notes", version="1", settings=settings, documents=(), routers=(router,), planners=planners)


def test_route_without_an_operation_id_is_refused(tmp_path: Path) -> None:
    router = APIRouter(route_class=KitRoute)

    @router.get("/v1/nameless")
    async def nameless() -> None: ...

    with pytest.raises(RouteRefused, match="/v1/nameless"):
        build(tmp_path, router)


def test_two_routes_of_one_operation_id_are_refused(tmp_path: Path) -> None:
    router = APIRouter(route_class=KitRoute)

    @router.get("/v1/one", operation_id="same")
    async def one() -> None: ...

    @router.get("/v1/two", operation_id="same")
    async def two() -> None: ...

    with pytest.raises(RouteRefused, match="same"):
        build(tmp_path, router)


def test_function_that_would_run_in_a_thread_is_refused(tmp_path: Path) -> None:
    router = APIRouter(route_class=KitRoute)

    @router.get("/v1/blocking", operation_id="blocking")
    def blocking() -> None: ...

    with pytest.raises(RouteRefused, match="blocking async"):
        build(tmp_path, router)


def test_route_outside_of_kit_is_refused(tmp_path: Path) -> None:
    router = APIRouter()

    @router.get("/v1/open", operation_id="open")
    async def open_door() -> None: ...

    with pytest.raises(RouteRefused, match="KitRoute"):
        build(tmp_path, router)


def test_conditions_on_parents_need_a_planner_and_a_planner_its_operation(tmp_path: Path) -> None:
    router = APIRouter(route_class=KitRoute)

    @router.post("/v1/start", operation_id="start", openapi_extra={"x-reference-require": True})
    async def start() -> None: ...

    build(tmp_path, router, "start")
    for planned in ((), ("start", "stop"), ("stop",)):
        with pytest.raises(RouteRefused, match="planners"):
            build(tmp_path, router, *planned)
