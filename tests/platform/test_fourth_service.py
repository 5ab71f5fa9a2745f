"""A service of another team, its own process and database, joins by two settings and leaves by one call."""

import os
from collections.abc import Iterator

import pytest
from api import UNKNOWN_ID, Api, pointers, problem, sign_in, sign_up
from journals_guest import CONSENT, JOURNALS, journals_guest
from parts import Parts
from scenes import bot, import_markets

from deploy.local.plan import GATEWAY


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """Without the fourth service, but with its owners' consent."""
    folder = tmp_path_factory.mktemp("parts")
    platform = Parts(folder, store_url=os.environ.get("MONGODB_URL"), guests=[journals_guest()], own=CONSENT)
    try:
        platform.up()
        import_markets(sign_in(platform.gateway_url, *platform.admin), "binance")
        yield platform
    finally:
        platform.close()


@pytest.fixture(scope="module")
def joined(parts: Parts) -> Parts:
    """The fourth service runs, and the gateway was started again with its address."""
    parts.start(JOURNALS)
    parts.stop(GATEWAY)
    parts.start(GATEWAY, SERVICES=parts.services_with(JOURNALS))
    return parts


@pytest.fixture
def trader(joined: Parts) -> Api:
    return sign_up(joined.gateway_url)


@pytest.fixture
def admin(joined: Parts) -> Api:
    return sign_in(joined.gateway_url, *joined.admin)


def test_it_is_discovered_with_its_references(admin: Api) -> None:
    said = admin.fetched("/v1/references")["references"]
    its = {one["field"]: (one["parent"], one["onDelete"]) for one in said if one["child"] == "journals"}
    assert its == {"userId": ("users", "CASCADE"), "botId": ("trading_bots", "SET_NULL")}


def test_its_references_are_enforced(trader: Api) -> None:
    stranger = sign_up(trader.base_url)
    mine, theirs = bot(trader)["botId"], bot(stranger)["botId"]
    for bot_id in (UNKNOWN_ID, theirs):
        refused = problem(
            trader.post("/v1/journals", {"text": "about it", "botId": bot_id}), 422, "reference-not-found"
        )
        assert pointers(refused) == {"/botId"}
    refused = problem(
        trader.post("/v1/journals", {"text": "as another", "userId": stranger.user_id}), 422, "reference-not-found"
    )
    assert pointers(refused) == {"/userId"}
    journal = trader.made("/v1/journals", {"text": "about it", "botId": mine})
    path = f"/v1/journals/{journal['journalId']}"
    assert (journal["userId"], journal["botId"]) == (trader.user_id, mine)
    assert trader.fetched(path) == journal
    assert list(trader.items("/v1/journals")) == [journal]
    problem(stranger.get(path), 404, "not-found")

    for bot_id in (UNKNOWN_ID, theirs):
        assert pointers(problem(trader.patch(path, {"botId": bot_id}), 422, "reference-not-found")) == {"/botId"}
    assert trader.patch(path, {"botId": None}).json()["botId"] is None
    assert trader.patch(path, {"botId": mine}).json()["botId"] == mine
