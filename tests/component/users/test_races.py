"""What must hold when two do it at once, on a store that yields between any two steps."""

import asyncio
from pathlib import Path

import pytest
from mock_store import faulty_client
from users_service import Person, UsersService, credentials, users_service

from users.documents.users import User
from users.operations.first_admin import Outcome, ensure_first_admin

pytestmark = pytest.mark.anyio

SEEDS = range(8)


async def step_down(person: Person) -> int:
    answer = await person.client.patch(f"/v1/users/{person.id}", json={"roles": ["user"]})
    return answer.status_code


async def suspend(admin: Person, person: Person) -> int:
    return (await admin.client.post(f"/v1/users/{person.id}/suspend")).status_code


async def active_admins(service: UsersService) -> int:
    return await service.runtime.store.collection(User).count({"roles": "admin", "status": "active"})


@pytest.mark.parametrize("seed", SEEDS)
async def test_admins_who_step_down_at_once_leave_one(tmp_path: Path, seed: int) -> None:
    client, _ = faulty_client(seed)
    async with users_service(tmp_path, client=client) as service:
        admins = [service.admin, *[await service.sign_up("user", "admin") for _ in range(2)]]
        statuses = await asyncio.gather(*(step_down(admin) for admin in admins))
        assert await active_admins(service) >= 1
        assert set(statuses) <= {200, 409, 503}
        assert 200 in statuses


@pytest.mark.parametrize("seed", SEEDS)
async def test_admins_who_suspend_each_other_at_once_leave_one(tmp_path: Path, seed: int) -> None:
    client, _ = faulty_client(seed)
    async with users_service(tmp_path, client=client) as service:
        second = await service.sign_up("user", "admin")
        statuses = await asyncio.gather(suspend(service.admin, second), suspend(second, service.admin))
        assert await active_admins(service) == 1
        assert sorted(statuses)[0] == 200


@pytest.mark.parametrize("operation", ["update_one", "find_one", "find", "find_one_and_update"])
async def test_step_down_cut_off_at_any_step_leaves_an_admin_and_can_be_repeated(
    tmp_path: Path, operation: str
) -> None:
    client, faults = faulty_client()
    async with users_service(tmp_path, client=client) as service:
        second = await service.sign_up("user", "admin")
        faults.add("lose", operation, "users")
        await step_down(service.admin)
        assert await active_admins(service) >= 1
        faults.rules.clear()
        assert await step_down(second) in (200, 409)
        assert await active_admins(service) >= 1


@pytest.mark.parametrize("seed", SEEDS)
async def test_one_refresh_token_used_twice_at_once_is_good_once(tmp_path: Path, seed: int) -> None:
    client, _ = faulty_client(seed)
    async with users_service(tmp_path, client=client) as service:
        tokens = await service.sign_in(await service.sign_up())
        body = {"refreshToken": tokens["refreshToken"]}
        answers = await asyncio.gather(*(service.anonymous.post("/v1/auth/refresh", json=body) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401]


@pytest.mark.parametrize("seed", SEEDS)
async def test_one_email_signed_up_by_many_at_once_makes_one_user(tmp_path: Path, seed: int) -> None:
    client, _ = faulty_client(seed)
    async with users_service(tmp_path, client=client) as service:
        body = {"email": "ann@example.com", "password": "correct horse battery", "displayName": "Ann"}
        answers = await asyncio.gather(*(service.anonymous.post("/v1/users", json=body) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


@pytest.mark.parametrize("seed", SEEDS)
async def test_one_key_linked_by_two_at_once_is_linked_once(tmp_path: Path, seed: int) -> None:
    client, _ = faulty_client(seed)
    async with users_service(tmp_path, client=client) as service:
        ann, bob = await service.sign_up(), await service.sign_up()
        same = credentials()
        answers = await asyncio.gather(service.link(ann, **same), service.link(bob, **same))
        assert sorted(answer.status_code for answer in answers) == [201, 409]


@pytest.mark.parametrize("seed", SEEDS)
async def test_replicas_that_start_at_once_make_one_first_admin(tmp_path: Path, seed: int) -> None:
    client, _ = faulty_client(seed)
    async with users_service(tmp_path, client=client) as service:
        users = service.runtime.store.collection(User)
        await users.delete_many({})
        tools = service.gateway.app.state.tools
        starts = [ensure_first_admin(service.runtime, tools, service.settings) for _ in range(3)]
        outcomes = [first.outcome for first in await asyncio.gather(*starts)]
        assert outcomes.count(Outcome.MADE) == 1
        assert outcomes.count(Outcome.EXISTS) == 2
        assert await active_admins(service) == 1


async def test_changes_of_one_user_at_once_are_all_kept(tmp_path: Path) -> None:
    client, _ = faulty_client()
    async with users_service(tmp_path, client=client) as service:
        person = await service.sign_up()
        path = f"/v1/users/{person.id}"
        named, given = await asyncio.gather(
            person.client.patch(path, json={"displayName": "New"}),
            service.admin.client.patch(path, json={"roles": ["user", "engine"]}),
        )
        assert (named.status_code, given.status_code) == (200, 200)
        user = (await person.client.get(path)).json()
        assert (user["displayName"], user["roles"], user["version"]) == ("New", ["user", "engine"], 3)
