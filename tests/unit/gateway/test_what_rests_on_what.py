"""Which relationships can be removed, and brought back, without taking from another one what it rests on."""

import pytest
from stub_documents import Json

from deploy.openapi import openapi_documents
from gateway.membership.decidable import partners, unheld

ACCOUNT, DECIDING = "trading_bots.exchangeAccountId", "trading_bots.userId"
SOURCE, IMPLIED, IMPLIES = "reward_transaction_logs.sourceId", "reward_transaction_logs.userId", "user_stakes.userId"


@pytest.fixture(scope="module")
def entities() -> Json:
    return {name: one for document in openapi_documents().values() for name, one in document["x-entities"].items()}


def pairs(entities: Json, *names: str) -> set[tuple[str, str]]:
    said = [one for entity in entities.values() for one in entity["references"] if one["relationship"] in names]
    return {
        (one["relationship"], parent["parent"]) for one in said for parent in one.get("parents", {None: one}).values()
    }


@pytest.mark.parametrize(
    ("gone", "name", "others"),
    [
        ([], ACCOUNT, set()),
        ([], DECIDING, {ACCOUNT}),
        ([ACCOUNT], DECIDING, set()),
        ([], IMPLIED, {SOURCE}),
        ([SOURCE], IMPLIED, set()),
        ([], IMPLIES, {IMPLIED}),
        ([SOURCE, IMPLIED], IMPLIES, set()),
        ([], "bot_performance.botId", set()),
        ([], "exchange_accounts.userId", set()),
    ],
)
def test_what_another_rests_on_is_removed_after_it_and_restored_before(
    entities: Json, gone: list[str], name: str, others: set[str]
) -> None:
    before, after = pairs(entities, *gone), pairs(entities, *gone, name)
    assert {one.edge.relationship for one in unheld(entities, before, after)} == others
    assert unheld(entities, after, before) == [], "what is whole with it is not refused when it comes back"


def test_what_rests_on_something_removed_is_not_restored(entities: Json) -> None:
    both, one = pairs(entities, ACCOUNT, SOURCE, DECIDING), pairs(entities, SOURCE, DECIDING)
    (said,) = unheld(entities, both, one)
    assert said.why == ("it could block a delete of users half-way, since trading_bots.userId is no reference to users")
    (said,) = unheld(entities, pairs(entities, SOURCE, IMPLIED, IMPLIES), pairs(entities, SOURCE, IMPLIES))
    assert said.why == "it is implied by user_stakes.userId"


def test_whom_it_concerns_are_the_parents_of_both(entities: Json) -> None:
    assert partners(entities, ACCOUNT) == {"users", "exchange_accounts"}
    assert partners(entities, IMPLIES) == {"users"}
    assert partners(entities, "bot_performance.botId") == set()
