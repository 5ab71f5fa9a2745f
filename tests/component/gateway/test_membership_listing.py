"""What an operator sees of the relationships, whatever their owners can say."""

import asyncio
from typing import Any

import pytest
from stub_platform import ADMIN
from stub_registry import PREFIX, StubRegistries, refuses
from stub_services import replies

pytestmark = pytest.mark.anyio
USER = "user_token_balances.userId"
SOURCE = "reward_logs.sourceId"


async def shown(admin: Any, name: str = USER) -> dict[str, Any]:
    answer = await admin.get("/v1/references")
    assert answer.status_code == 200
    return next(one for one in answer.json()["references"] if one["relationship"] == name)


async def is_registered(admin: Any) -> bool:
    return bool((await shown(admin))["state"] == "registered")


class TestListing:
    async def test_each_reference_has_its_state_at_its_owner_and_what_that_says_besides(
        self, admin: Any, registries: StubRegistries, eventually: Any
    ) -> None:
        await eventually(lambda: is_registered(admin))
        registries.users.rows[USER, "users"]["checkedLast"] = "yesterday"
        one = await shown(admin)
        assert (one["parent"], one["onDelete"], one["state"]) == ("users", "CASCADE", "registered")
        [registration] = one["registrations"]
        assert registration["owner"] == "users"
        assert (registration["isValidated"], registration["checkedLast"]) == (True, "yesterday")
        assert (await shown(admin, "trading_bots.marketPair"))["state"] == "registered"

    async def test_polymorphic_one_has_a_state_for_each_parent_and_the_worst_for_all(
        self, admin: Any, registries: StubRegistries
    ) -> None:
        await shown(admin)
        registries.users.rows[SOURCE, "exchange_accounts"]["state"] = "removed"
        one = await shown(admin, SOURCE)
        found = [(each["parent"], each["owner"], each["state"]) for each in one["registrations"]]
        assert found == [("user_stakes", "bots", "registered"), ("exchange_accounts", "users", "removed")]
        assert one["state"] == "removed"

    async def test_refusal_of_an_owner_is_shown_with_its_reason(
        self, platform: Any, registries: StubRegistries
    ) -> None:
        platform.users.consents = False
        async with platform.gateway() as client:
            client.headers["authorization"] = f"Bearer {platform.token(ADMIN, 'admin')}"
            one = await shown(client)
        assert one["state"] == "refused"
        assert one["registrations"][0]["reason"] == "No!"

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (refuses(404), "answers 404"),
            (replies(200, b"words"), "not JSON"),
            (replies(200, {"relationships": [{"relationship": 1}]}), "does not list relationships"),
        ],
    )
    async def test_owner_that_cannot_say_is_unknown_with_the_reason(
        self, platform: Any, admin: Any, answer: Any, why: str
    ) -> None:
        platform.users.answers["POST", PREFIX + "list"] = answer
        one = await shown(admin)
        assert one["state"] == "unknown"
        assert why in one["registrations"][0]["reason"]
        assert (await shown(admin, "trading_bots.marketPair"))["state"] == "registered"

    async def test_owner_that_is_down_or_hangs_keeps_nobody_from_looking(self, platform: Any, admin: Any) -> None:
        platform.users.answers["POST", PREFIX + "list"] = hangs
        began = asyncio.get_running_loop().time()
        assert (await shown(admin))["state"] == "unknown"
        assert asyncio.get_running_loop().time() - began < 4
        await platform.users.stop()
        one = await shown(admin)
        assert "no connection" in one["registrations"][0]["reason"]

    async def test_what_no_service_declares_any_more_is_shown_apart(
        self, admin: Any, registries: StubRegistries
    ) -> None:
        row = {"relationship": "shops.userId", "parent": "users", "service": "shop", "state": "registered"}
        registries.users.rows["shops.userId", "users"] = row
        assert (await admin.get("/v1/references")).json()["undeclared"] == [{**row, "owner": "users"}]

    async def test_nobody_but_admins_looks_or_commands(
        self, admin: Any, platform: Any, registries: StubRegistries
    ) -> None:
        for token, status in ((platform.token(), 403), (None, 401)):
            async with platform.client(token) as client:
                assert (await client.get("/v1/references")).status_code == status
                assert (await client.delete(f"/v1/references/{USER}")).status_code == status
                assert (await client.post(f"/v1/references/{USER}/restore")).status_code == status
        assert registries.steps == []


async def hangs(*_: Any) -> None:
    await asyncio.sleep(30)
