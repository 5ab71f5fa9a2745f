"""The count that others are measured by sees what dangles, and nothing else."""

from typing import Any

import pytest

from bench.anti_join import joined, rules_of

ENTITIES: dict[str, Any] = {
    "users": {"references": [], "parts": []},
    "accounts": {"references": [{"relationship": "accounts.userId", "parent": "users"}], "parts": []},
    "bots": {
        "references": [
            {"relationship": "bots.userId", "parent": "users"},
            {"relationship": "bots.accountId", "parent": "accounts", "match": {"userId": "userId"}},
            {"relationship": "bots.pair", "parent": "pairs", "key": {"exchange": "exchange", "pair": "symbol"}},
        ],
        "parts": [{"collection": "bot_events", "field": "botId"}],
    },
    "pairs": {"references": [], "parts": []},
    "logs": {
        "references": [
            {
                "relationship": "logs.sourceId",
                "by": "kind",
                "parents": {"bot": {"parent": "bots"}, "user": {"parent": "users"}},
            }
        ],
        "parts": [],
    },
}
BOT = {"_id": "b", "userId": "u", "accountId": "a", "exchange": "x", "pair": "p"}


def whole() -> dict[str, list[Any]]:
    return {
        "users": [{"_id": "u"}, {"_id": "v"}],
        "accounts": [{"_id": "a", "userId": "u"}],
        "pairs": [{"_id": "1", "exchange": "x", "symbol": "p"}],
        "bots": [dict(BOT)],
        "bot_events": [{"_id": "e", "botId": "b"}],
        "logs": [{"_id": "l", "kind": "bot", "sourceId": "b"}, {"_id": "m", "kind": "gift"}],
    }


def test_whole_store_is_at_rest() -> None:
    found = joined(whole(), list(rules_of(ENTITIES)))
    assert found.is_at_rest
    assert found.children == 6


@pytest.mark.parametrize(
    ("collection", "change", "dangling"),
    [
        ("accounts", {"userId": "w"}, {"accounts.userId a → w", "bots.accountId b → a/u"}),
        ("bots", {"accountId": "z"}, {"bots.accountId b → z/u"}),
        ("bots", {"userId": "v"}, {"bots.accountId b → a/v"}),
        ("bots", {"pair": "q"}, {"bots.pair b → x/q"}),
        ("bots", {"accountId": None}, set()),
        ("bot_events", {"botId": "c"}, {"bot_events.botId e → c"}),
        ("logs", {"kind": "user"}, {"logs.sourceId l → b"}),
        ("users", {"_intent": {"kind": "create"}}, {"accounts.userId a → u", "bots.userId b → u"}),
        ("users", {"_intent": {"kind": "change"}}, set()),
        ("bots", {"userId": "w", "_intent": {"kind": "create"}}, {"bot_events.botId e → b", "logs.sourceId l → b"}),
    ],
)
def test_what_names_nothing_is_found(collection: str, change: dict[str, Any], dangling: set[str]) -> None:
    rows = whole()
    rows[collection][0].update(change)
    found = joined(rows, list(rules_of(ENTITIES)))
    assert {*found.dangling, *found.leftover} == dangling
    assert all(one.startswith("bot_events") for one in found.leftover)


def test_unfinished_writes_and_deletes_are_found() -> None:
    rows = whole()
    rows["bots"][0]["_intent"] = {"kind": "change"}
    rows["users"][1]["_parent"] = {"state": "purging"}
    rows["users"][0]["_parent"] = {"state": "active"}
    found = joined(rows, list(rules_of(ENTITIES)))
    assert (found.intents, found.undecided) == (["bots b"], ["users v (purging)"])
    assert not found.is_at_rest
