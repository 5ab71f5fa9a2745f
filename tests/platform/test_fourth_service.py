"""A service of another team, its own process and database, joins by two settings and leaves by one call."""

import os
from collections.abc import Iterator
from functools import partial

import pytest
from api import UNKNOWN_ID, Api, done, pointers, problem, sign_up
from followed import deleted, ended
from journals_guest import CONSENT, JOURNALS, journals_guest
from parts import Parts
from processes import until
from scenes import bot, exchange_account

from deploy.local.plan import GATEWAY

RELATIONSHIPS = {"journals.userId": "users", "journals.botId": "trading_bots"}
SETTINGS = {"DELETE_WAIT_S": "2", "DELETE_SWEEP_INTERVAL_S": "0.5", "DELETE_IDLE_S": "1", "AUDIT_RECHECK_S": "1"}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """Without the fourth service."""
    folder = tmp_path_factory.mktemp("parts")
    url = os.environ.get("MONGODB_URL")
    with Parts(folder, store_url=url, guests=[journals_guest()], settings=SETTINGS).up() as platform:
        yield platform


@pytest.fixture(scope="module")
def known(parts: Parts) -> Parts:
    """The fourth service runs, and the gateway was started again with its address; nobody has consented."""
    parts.start(JOURNALS)
    parts.stop(GATEWAY)
    parts.start(GATEWAY, SERVICES=parts.services_with(JOURNALS))
    return parts


@pytest.fixture(scope="module")
def joined(known: Parts, admin: Api) -> Parts:
    """With its owners' consent."""
    for owner, consent in CONSENT.items():
        known.stop(owner)
        known.start(owner, **consent)
    trader = sign_up(known.gateway_url)
    body = {"text": "the first", "botId": bot(trader)["botId"]}
    until(lambda: trader.post("/v1/journals", body).is_success, "it was not registered")
    return known


def states(admin: Api) -> dict[str, str]:
    """How its relationships stand at the owners."""
    said = admin.fetched("/v1/references")
    rows = [one for one in [*said["references"], *said["undeclared"]] if one["relationship"] in RELATIONSHIPS]
    return {one["relationship"]: one["state"] for one in rows}


def journal(trader: Api, bot_id: str | None = None) -> str:
    body = {"text": "as it was", **({"botId": bot_id} if bot_id else {})}
    return str(trader.made("/v1/journals", body)["journalId"])


def test_without_its_owners_consent_nothing_is_written_and_the_catalogue_says_why(
    known: Parts, admin: Api, trader: Api
) -> None:
    refused = problem(trader.post("/v1/journals", {"text": "too early"}), 503, "reference-unverifiable")
    assert "does not take references of this relationship" in refused["detail"]
    assert list(trader.items("/v1/journals")) == []
    said = {one["relationship"]: one for one in admin.fetched("/v1/references")["references"]}
    for relationship, parent in RELATIONSHIPS.items():
        assert said[relationship]["state"] == "refused"
        reason = said[relationship]["registrations"][0]["reason"]
        assert reason == f"REFERENCE_CONSENT does not let journals refer to {parent}."
    deleted(trader, f"/v1/users/{trader.user_id}")


def test_it_is_discovered_and_registered(joined: Parts, admin: Api) -> None:
    said = admin.fetched("/v1/references")["references"]
    its = {one["field"]: (one["parent"], one["onDelete"], one["state"]) for one in said if one["child"] == "journals"}
    assert its == {
        "userId": ("users", "CASCADE", "registered"),
        "botId": ("trading_bots", "SET_NULL", "registered"),
    }


def test_its_references_are_enforced(joined: Parts, trader: Api) -> None:
    stranger = sign_up(trader.base_url)
    mine, theirs = bot(trader)["botId"], bot(stranger)["botId"]
    for bot_id in (UNKNOWN_ID, theirs):
        answer = trader.post("/v1/journals", {"text": "about it", "botId": bot_id})
        assert pointers(problem(answer, 422, "reference-not-found")) == {"/botId"}
    answer = trader.post("/v1/journals", {"text": "as another", "userId": stranger.user_id})
    assert pointers(problem(answer, 422, "reference-not-found")) == {"/userId"}
    journal = trader.made("/v1/journals", {"text": "about it", "botId": mine})
    path = f"/v1/journals/{journal['journalId']}"
    assert (journal["userId"], journal["botId"]) == (trader.user_id, mine)
    assert trader.fetched(path) == journal
    assert list(trader.items("/v1/journals")) == [journal]
    problem(stranger.get(path), 404, "not-found")

    for bot_id in (UNKNOWN_ID, theirs):
        assert pointers(problem(trader.patch(path, {"botId": bot_id}), 422, "reference-not-found")) == {"/botId"}
    assert done(trader.patch(path, {"botId": None}))["botId"] is None
    assert done(trader.patch(path, {"botId": mine}))["botId"] == mine


def test_delete_of_a_bot_takes_its_journals_off_it(joined: Parts, trader: Api) -> None:
    first, second = bot(trader)["botId"], bot(trader)["botId"]
    about_first, about_second = journal(trader, first), journal(trader, second)
    deleted(trader, f"/v1/bots/{first}")
    assert trader.fetched(f"/v1/journals/{about_first}")["botId"] is None
    assert trader.fetched(f"/v1/journals/{about_second}")["botId"] == second


def test_delete_of_a_user_takes_journals_and_bots_along(joined: Parts, admin: Api, trader: Api) -> None:
    stranger = sign_up(trader.base_url)
    kept = journal(stranger)
    gone = [journal(trader, bot(trader)["botId"]) for _ in range(2)] + [journal(trader)]
    deleted(trader, f"/v1/users/{trader.user_id}")
    for one in gone:
        problem(admin.get(f"/v1/journals/{one}"), 404, "not-found")
    assert stranger.fetched(f"/v1/journals/{kept}")["journalId"] == kept


def test_it_is_audited(joined: Parts, admin: Api, trader: Api) -> None:
    journal(trader, bot(trader)["botId"])
    audit = ended(admin, admin.post("/v1/integrity/audits", {}))
    assert (audit["state"], audit["orphanCount"]) == ("done", 0)
    its = {one["relationship"]: one for one in audit["relationships"] if one["relationship"] in RELATIONSHIPS}
    assert its.keys() == RELATIONSHIPS.keys()
    assert all(one["childrenRead"] > 0 and one["isComplete"] for one in its.values())


def test_removed_relationship_is_refused_and_no_longer_waited_for_until_it_is_restored(
    joined: Parts, admin: Api, trader: Api
) -> None:
    left = journal(trader)
    problem(admin.delete("/v1/references/journals.userId?serviceIsGone=true"), 409, "service-in-use")
    assert done(admin.delete("/v1/references/journals.userId"))["state"] == "removed"
    assert states(admin) == {"journals.userId": "removed", "journals.botId": "registered"}
    too_late = partial(trader.post, "/v1/journals", {"text": "too late"})
    until(lambda: too_late().json()["code"] == "reference-unverifiable", "the owner was not asked again")
    assert len(list(trader.items("/v1/journals"))) == 1
    deleted(trader, f"/v1/users/{trader.user_id}")
    assert admin.fetched(f"/v1/journals/{left}")["userId"] == trader.user_id  # nobody asked for it

    assert done(admin.post("/v1/references/journals.userId/restore"))["state"] == "registered"
    audit = ended(admin, admin.post("/v1/integrity/audits", {"relationships": ["journals.userId"]}))
    assert [one["childId"] for one in audit["relationships"][0]["orphans"]] == [left]
    other = sign_up(trader.base_url)
    until(lambda: other.post("/v1/journals", {"text": "again"}).is_success, "it is not taken again")


def test_decommissioned_without_a_word_it_holds_up_only_what_needs_it_until_it_is_declared_gone(
    joined: Parts, admin: Api, trader: Api
) -> None:
    journal(trader)
    joined.stop(JOURNALS)
    answer = trader.delete(f"/v1/users/{trader.user_id}")
    assert answer.status_code == 202
    follow = partial(admin.fetched, answer.headers["Location"])
    until(lambda: bool(follow()["waitingFor"]), "it does not say who is waited for")
    assert [one["service"] for one in follow()["waitingFor"]] == [JOURNALS]
    assert follow()["state"] == "deleting"
    other = sign_up(trader.base_url)
    assert bot(other, exchange_account(other)["accountId"])["status"] == "created"

    problem(admin.delete("/v1/references/journals.userId"), 503, "unavailable")
    for relationship in RELATIONSHIPS:
        assert done(admin.delete(f"/v1/references/{relationship}?serviceIsGone=true"))["state"] == "removed"
    assert ended(admin, answer)["state"] == "done"
    deleted(other, f"/v1/users/{other.user_id}")
    assert states(admin) == dict.fromkeys(RELATIONSHIPS, "removed")
