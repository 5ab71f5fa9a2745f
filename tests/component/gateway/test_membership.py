"""An operator looks at the relationships, removes one, and brings it back."""

import asyncio
from typing import Any

import pytest
from api import problem
from stub_platform import ACCOUNT, ADMIN
from stub_registry import PREFIX, StubRegistry, refuses
from stub_services import replies

pytestmark = pytest.mark.anyio
USER = "trading_bots.userId"
SOURCE = "reward_logs.sourceId"
CREATE = {"exchangeAccountId": ACCOUNT, "marketPair": "BTC/USDT", "name": "grid"}


class Registries:
    def __init__(self, platform: Any) -> None:
        self.steps: list[tuple[str, str]] = []
        self.users = StubRegistry(platform.users, self.steps)
        self.bots = StubRegistry(platform.bots, self.steps)


@pytest.fixture
def registries(platform: Any) -> Registries:
    return Registries(platform)


@pytest.fixture
async def admin(platform: Any, registries: Registries) -> Any:
    async with platform.gateway(validation_kept_s=0) as client:
        client.headers["authorization"] = f"Bearer {platform.token(ADMIN, 'admin')}"
        yield client


async def shown(admin: Any, name: str = USER) -> dict[str, Any]:
    answer = await admin.get("/v1/references")
    assert answer.status_code == 200
    return next(one for one in answer.json()["references"] if one["relationship"] == name)


class TestListing:
    async def test_each_reference_has_its_state_at_its_owner_and_what_that_says_besides(
        self, admin: Any, registries: Registries
    ) -> None:
        await shown(admin)
        registries.users.rows[USER, "users"]["checkedLast"] = "yesterday"
        one = await shown(admin)
        assert (one["parent"], one["onDelete"], one["state"]) == ("users", "CASCADE", "registered")
        [registration] = one["registrations"]
        assert registration["owner"] == "users"
        assert (registration["isValidated"], registration["checkedLast"]) == (True, "yesterday")
        assert (await shown(admin, "trading_bots.marketPair"))["state"] == "registered"

    async def test_polymorphic_one_has_a_state_for_each_parent_and_the_worst_for_all(
        self, admin: Any, registries: Registries
    ) -> None:
        await shown(admin)
        registries.users.rows[SOURCE, "exchange_accounts"]["state"] = "removed"
        one = await shown(admin, SOURCE)
        found = [(each["parent"], each["owner"], each["state"]) for each in one["registrations"]]
        assert found == [("user_stakes", "bots", "registered"), ("exchange_accounts", "users", "removed")]
        assert one["state"] == "removed"

    async def test_refusal_of_an_owner_is_shown_with_its_reason(self, platform: Any, registries: Registries) -> None:
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

    async def test_what_no_service_declares_any_more_is_shown_apart(self, admin: Any, registries: Registries) -> None:
        row = {"relationship": "shops.userId", "parent": "users", "service": "shop", "state": "registered"}
        registries.users.rows["shops.userId", "users"] = row
        assert (await admin.get("/v1/references")).json()["undeclared"] == [{**row, "owner": "users"}]

    async def test_nobody_but_admins_looks_or_commands(self, admin: Any, platform: Any, registries: Registries) -> None:
        for token, status in ((platform.token(), 403), (None, 401)):
            async with platform.client(token) as client:
                assert (await client.get("/v1/references")).status_code == status
                assert (await client.delete(f"/v1/references/{USER}")).status_code == status
                assert (await client.post(f"/v1/references/{USER}/restore")).status_code == status
        assert registries.steps == []


async def hangs(*_: Any) -> None:
    await asyncio.sleep(30)


class TestRemoval:
    async def test_child_closes_before_the_owner_marks_it_removed(self, admin: Any, registries: Registries) -> None:
        for _ in range(2):
            registries.steps.clear()
            answer = await admin.delete(f"/v1/references/{USER}")
            assert answer.status_code == 200
            assert registries.steps == [("bots", "close"), ("users", "remove")]
            said = answer.json()
            assert (said["relationship"], said["service"], said["state"]) == (USER, "bots", "removed")
            assert [(one["owner"], one["state"]) for one in said["registrations"]] == [("users", "removed")]
        assert (await shown(admin))["state"] == "removed"

    async def test_it_stays_removed_whatever_documents_say(
        self, platform: Any, admin: Any, registries: Registries, eventually: Any
    ) -> None:
        await admin.delete(f"/v1/references/{USER}")
        platform.bots.document["info"]["version"] = "0.2.0"
        await eventually(lambda: platform.catalogue.documents["bots"].raw["info"]["version"] == "0.2.0")
        refused = await admin.post("/v1/bots", json=CREATE)
        problem(refused, 503, "reference-unverifiable")
        assert (await shown(admin))["state"] == "removed"

    async def test_every_owner_of_a_polymorphic_one_is_told(self, admin: Any, registries: Registries) -> None:
        assert (await admin.delete(f"/v1/references/{SOURCE}")).status_code == 200
        assert registries.steps == [("bots", "close"), ("bots", "remove"), ("users", "remove")]
        assert {one["state"] for one in (await shown(admin, SOURCE))["registrations"]} == {"removed"}

    @pytest.mark.parametrize("name", ["never.heard", "words", "a.b.c", "trading_bots.*"])
    async def test_unknown_relationship_is_not_found(self, admin: Any, registries: Registries, name: str) -> None:
        problem(await admin.delete(f"/v1/references/{name}"), 404, "not-found")
        problem(await admin.post(f"/v1/references/{name}/restore"), 404, "not-found")
        assert registries.steps == []

    async def test_paths_take_their_methods_only(self, admin: Any) -> None:
        problem(await admin.get(f"/v1/references/{USER}"), 405, "method-not-allowed")
        problem(await admin.get(f"/v1/references/{USER}/restore"), 405, "method-not-allowed")

    async def test_child_that_is_down_leaves_everything_as_it_was(
        self, platform: Any, admin: Any, registries: Registries
    ) -> None:
        await platform.bots.stop()
        said = problem(await admin.delete(f"/v1/references/{USER}"), 503, "unavailable")
        assert "serviceIsGone=true" in said["detail"]
        assert registries.steps == []
        assert registries.users.rows[USER, "users"]["state"] == "registered"

    async def test_service_that_has_no_part_in_it_may_be_down(
        self, platform: Any, admin: Any, registries: Registries
    ) -> None:
        await platform.users.stop()
        assert (await admin.delete("/v1/references/trading_bots.marketPair")).status_code == 200
        assert registries.steps == [("bots", "close"), ("bots", "remove")]

    async def test_owner_that_is_down_is_named_and_the_command_goes_on_from_there(
        self, platform: Any, admin: Any, registries: Registries
    ) -> None:
        await platform.users.stop()
        said = problem(await admin.delete(f"/v1/references/{USER}"), 503, "unavailable")
        assert "users" in said["detail"]
        assert "repeat the command" in said["detail"]
        assert USER in registries.bots.closed, "no write of it is taken meanwhile"
        await platform.users.start()
        assert (await admin.delete(f"/v1/references/{USER}")).status_code == 200
        assert registries.users.rows[USER, "users"]["state"] == "removed"

    async def test_it_is_told_if_somebody_restored_it_meanwhile(
        self, platform: Any, admin: Any, registries: Registries
    ) -> None:
        await shown(admin)
        row = registries.users.rows[USER, "users"]
        platform.users.answers["POST", PREFIX + "remove"] = replies(200, {"relationships": [row]})
        problem(await admin.delete(f"/v1/references/{USER}"), 409, "restored-meanwhile")


class TestServiceThatIsGone:
    async def test_only_the_owners_are_told(self, platform: Any, admin: Any, registries: Registries) -> None:
        await platform.bots.stop()
        for name in (USER, SOURCE):
            registries.steps.clear()
            answer = await admin.delete(f"/v1/references/{name}", params={"serviceIsGone": "true"})
            assert (answer.status_code, registries.steps) == (200, [("users", "remove")])
        registries.steps.clear()
        await platform.users.stop()
        answer = await admin.delete("/v1/references/user_token_balances.userId?serviceIsGone=true")
        assert "users" in problem(answer, 503, "unavailable")["detail"]

    async def test_it_is_refused_while_the_service_answers(
        self, platform: Any, admin: Any, registries: Registries
    ) -> None:
        for answer in (None, refuses(500), replies(200, b"words")):
            if answer is not None:
                platform.bots.answers["POST", PREFIX + "list"] = answer
            refused = await admin.delete(f"/v1/references/{USER}", params={"serviceIsGone": "true"})
            problem(refused, 409, "service-in-use")
        assert registries.steps == []

    async def test_service_that_has_left_the_settings_is_known_by_its_owner(
        self, admin: Any, registries: Registries
    ) -> None:
        name = "shops.userId"
        row = {"relationship": name, "parent": "users", "service": "shop", "state": "registered"}
        registries.users.rows[name, "users"] = row
        said = problem(await admin.delete(f"/v1/references/{name}"), 409, "service-unknown")
        assert "serviceIsGone=true" in said["detail"]
        problem(await admin.post(f"/v1/references/{name}/restore"), 409, "service-unknown")
        assert (await admin.delete(f"/v1/references/{name}?serviceIsGone=true")).status_code == 200
        assert (row["state"], registries.steps) == ("removed", [("users", "remove")])

    async def test_what_nobody_knows_may_be_known_to_an_owner_that_is_down(self, platform: Any, admin: Any) -> None:
        await platform.users.stop()
        problem(await admin.delete("/v1/references/shops.userId?serviceIsGone=true"), 503, "unavailable")

    async def test_word_that_is_neither_yes_nor_no_is_refused(self, admin: Any) -> None:
        answer = await admin.delete(f"/v1/references/{USER}?serviceIsGone=maybe")
        problem(answer, 422, "invalid-request")


class TestReturn:
    async def test_owner_registers_it_before_the_child_opens_it(self, admin: Any, registries: Registries) -> None:
        await admin.delete(f"/v1/references/{USER}")
        for opens in (True, False):
            registries.steps.clear()
            answer = await admin.post(f"/v1/references/{USER}/restore")
            assert (answer.status_code, answer.json()["state"]) == (200, "registered")
            expected = [("bots", "look"), ("users", "restore"), *([("bots", "open")] if opens else [])]
            assert registries.steps == expected
        assert (await admin.post("/v1/bots", json=CREATE)).status_code == 422, "it is not the admin's own account"
        assert (await shown(admin))["state"] == "registered"

    async def test_relationship_that_was_never_removed_is_left_as_it_is(
        self, admin: Any, registries: Registries
    ) -> None:
        assert (await admin.post(f"/v1/references/{USER}/restore")).status_code == 200
        assert registries.steps == [("bots", "look"), ("users", "restore")]

    async def test_it_stays_closed_if_somebody_removed_it_meanwhile(
        self, platform: Any, admin: Any, registries: Registries
    ) -> None:
        await admin.delete(f"/v1/references/{USER}")
        platform.bots.answers["POST", PREFIX + "open"] = replies(200, {"open": False})
        problem(await admin.post(f"/v1/references/{USER}/restore"), 409, "removed-meanwhile")
        registries.steps.clear()
        row = {**registries.users.rows[USER, "users"], "state": "removed"}
        platform.users.answers["POST", PREFIX + "restore"] = replies(200, {"relationships": [row]})
        problem(await admin.post(f"/v1/references/{USER}/restore"), 409, "removed-meanwhile")
        assert registries.steps == [("bots", "look")], "it is not opened then"

    @pytest.mark.parametrize("down", ["bots", "users"])
    async def test_it_is_not_opened_while_somebody_cannot_be_asked(
        self, platform: Any, admin: Any, registries: Registries, down: str
    ) -> None:
        await admin.delete(f"/v1/references/{USER}")
        registries.steps.clear()
        await getattr(platform, down).stop()
        problem(await admin.post(f"/v1/references/{USER}/restore"), 503, "unavailable")
        assert ("bots", "open") not in registries.steps
        await getattr(platform, down).start()
        assert (await admin.post(f"/v1/references/{USER}/restore")).status_code == 200
        assert registries.bots.closed == set()
