"""An operator looks at the relationships, removes one, and brings it back."""

from typing import Any

import pytest
from api import pointers, problem
from stub_platform import ALICE
from stub_registry import PREFIX, StubRegistries, refuses
from stub_services import replies

pytestmark = pytest.mark.anyio
USER = "user_token_balances.userId"
SOURCE = "reward_logs.sourceId"
ACCOUNT = "trading_bots.exchangeAccountId"
DECIDING = "trading_bots.userId"
CREDITS = f"/v1/balances/{ALICE}/credits"


async def shown(admin: Any, name: str = USER) -> dict[str, Any]:
    answer = await admin.get("/v1/references")
    assert answer.status_code == 200
    return next(one for one in answer.json()["references"] if one["relationship"] == name)


class TestRemoval:
    async def test_child_closes_before_the_owner_marks_it_removed(self, admin: Any, registries: StubRegistries) -> None:
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
        self, platform: Any, admin: Any, registries: StubRegistries, eventually: Any
    ) -> None:
        await admin.delete(f"/v1/references/{USER}")
        platform.bots.document["info"]["version"] = "0.2.0"
        await eventually(lambda: platform.catalogue.documents["bots"].raw["info"]["version"] == "0.2.0")
        refused = await admin.post(CREDITS, json={"amount": "1"})
        problem(refused, 503, "reference-unverifiable")
        assert (await shown(admin))["state"] == "removed"

    async def test_every_owner_of_a_polymorphic_one_is_told(self, admin: Any, registries: StubRegistries) -> None:
        assert (await admin.delete(f"/v1/references/{SOURCE}")).status_code == 200
        close, *removals = registries.steps
        assert close == ("bots", "close")
        assert sorted(removals) == [("bots", "remove"), ("users", "remove")]
        assert {one["state"] for one in (await shown(admin, SOURCE))["registrations"]} == {"removed"}

    async def test_what_decides_for_another_goes_after_it_and_returns_before_it(
        self, admin: Any, registries: StubRegistries
    ) -> None:
        """A bot keeps its account, which goes with its user: that is decided by the bot's own user."""
        said = problem(await admin.delete(f"/v1/references/{DECIDING}"), 409, "relationship-needed")
        assert f"Remove {ACCOUNT} first" in said["detail"]
        assert registries.steps == []
        for name in (ACCOUNT, DECIDING):
            assert (await admin.delete(f"/v1/references/{name}")).status_code == 200
        registries.steps.clear()
        said = problem(await admin.post(f"/v1/references/{ACCOUNT}/restore"), 409, "relationship-needed")
        assert "could block a delete of users half-way" in said["detail"]
        assert registries.steps == []
        for name in (DECIDING, ACCOUNT):
            assert (await admin.post(f"/v1/references/{name}/restore")).status_code == 200

    async def test_what_others_rest_on_is_not_removed_while_it_is_unknown_whether_they_are(
        self, platform: Any, admin: Any, registries: StubRegistries
    ) -> None:
        await platform.users.stop()
        for name in (ACCOUNT, DECIDING):
            said = problem(await admin.delete(f"/v1/references/{name}"), 503, "unavailable")
            assert "Nothing was done" in said["detail"]
            problem(await admin.post(f"/v1/references/{name}/restore"), 503, "unavailable")
        assert registries.steps == []

    @pytest.mark.parametrize("name", ["never.heard", "words", "a.b.c", "trading_bots.*"])
    async def test_unknown_relationship_is_not_found(self, admin: Any, registries: StubRegistries, name: str) -> None:
        problem(await admin.delete(f"/v1/references/{name}"), 404, "not-found")
        problem(await admin.post(f"/v1/references/{name}/restore"), 404, "not-found")
        assert registries.steps == []

    async def test_paths_take_their_methods_only(self, admin: Any) -> None:
        problem(await admin.get(f"/v1/references/{USER}"), 405, "method-not-allowed")
        problem(await admin.get(f"/v1/references/{USER}/restore"), 405, "method-not-allowed")

    async def test_child_that_is_down_leaves_everything_as_it_was(
        self, platform: Any, admin: Any, registries: StubRegistries
    ) -> None:
        await platform.bots.stop()
        said = problem(await admin.delete(f"/v1/references/{USER}"), 503, "unavailable")
        assert "serviceIsGone=true" in said["detail"]
        assert registries.steps == []
        assert registries.users.rows[USER, "users"]["state"] == "registered"

    async def test_service_that_has_no_part_in_it_may_be_down(
        self, platform: Any, admin: Any, registries: StubRegistries
    ) -> None:
        await platform.users.stop()
        assert (await admin.delete("/v1/references/trading_bots.marketPair")).status_code == 200
        assert registries.steps == [("bots", "close"), ("bots", "remove")]

    async def test_owner_that_is_down_is_named_and_the_command_goes_on_from_there(
        self, platform: Any, admin: Any, registries: StubRegistries
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
        self, platform: Any, admin: Any, registries: StubRegistries
    ) -> None:
        await shown(admin)
        row = registries.users.rows[USER, "users"]
        platform.users.answers["POST", PREFIX + "remove"] = replies(200, {"relationships": [row]})
        problem(await admin.delete(f"/v1/references/{USER}"), 409, "restored-meanwhile")


class TestServiceThatIsGone:
    async def test_only_the_owners_are_told(self, platform: Any, admin: Any, registries: StubRegistries) -> None:
        await platform.bots.stop()
        for name in (USER, SOURCE):
            registries.steps.clear()
            answer = await admin.delete(f"/v1/references/{name}", params={"serviceIsGone": "true"})
            assert (answer.status_code, registries.steps) == (200, [("users", "remove")])
        registries.steps.clear()
        await platform.users.stop()
        answer = await admin.delete("/v1/references/reward_logs.userId?serviceIsGone=true")
        assert "users" in problem(answer, 503, "unavailable")["detail"]

    async def test_it_is_refused_while_the_service_answers(
        self, platform: Any, admin: Any, registries: StubRegistries
    ) -> None:
        for answer in (None, refuses(500), replies(200, b"words")):
            if answer is not None:
                platform.bots.answers["POST", PREFIX + "list"] = answer
            refused = await admin.delete(f"/v1/references/{USER}", params={"serviceIsGone": "true"})
            problem(refused, 409, "service-in-use")
        assert registries.steps == []

    async def test_service_that_has_left_the_settings_is_known_by_its_owner(
        self, admin: Any, registries: StubRegistries
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
        for word in ("maybe", ""):
            answer = await admin.delete(f"/v1/references/{USER}?serviceIsGone={word}")
            assert pointers(problem(answer, 422, "invalid-request")) == {"/serviceIsGone"}

    async def test_slip_in_the_querys_name_removes_nothing(self, admin: Any, registries: StubRegistries) -> None:
        answer = await admin.delete(f"/v1/references/{USER}?serviceisgone=true")
        assert pointers(problem(answer, 422, "invalid-request")) == {"/serviceisgone"}
        said = await admin.post(f"/v1/references/{USER}/restore", json={"number": 1})
        assert pointers(problem(said, 422, "invalid-request")) == {"/number"}
        assert registries.steps == []


class TestReturn:
    async def test_owner_registers_it_before_the_child_opens_it(self, admin: Any, registries: StubRegistries) -> None:
        await admin.delete(f"/v1/references/{USER}")
        for opens in (True, False):
            registries.steps.clear()
            answer = await admin.post(f"/v1/references/{USER}/restore")
            assert (answer.status_code, answer.json()["state"]) == (200, "registered")
            expected = [("bots", "look"), ("users", "restore"), *([("bots", "open")] if opens else [])]
            assert registries.steps == expected
        assert (await admin.post(CREDITS, json={"amount": "1"})).status_code == 200
        assert (await shown(admin))["state"] == "registered"

    async def test_relationship_that_was_never_removed_is_left_as_it_is(
        self, admin: Any, registries: StubRegistries
    ) -> None:
        assert (await admin.post(f"/v1/references/{USER}/restore")).status_code == 200
        assert registries.steps == [("bots", "look"), ("users", "restore")]

    async def test_it_stays_closed_if_somebody_removed_it_meanwhile(
        self, platform: Any, admin: Any, registries: StubRegistries
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
        self, platform: Any, admin: Any, registries: StubRegistries, down: str
    ) -> None:
        await admin.delete(f"/v1/references/{USER}")
        registries.steps.clear()
        await getattr(platform, down).stop()
        problem(await admin.post(f"/v1/references/{USER}/restore"), 503, "unavailable")
        assert ("bots", "open") not in registries.steps
        await getattr(platform, down).start()
        assert (await admin.post(f"/v1/references/{USER}/restore")).status_code == 200
        assert registries.bots.closed == set()
