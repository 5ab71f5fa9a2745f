"""Generated documents say what their sources say."""

from typing import Any

from deploy.docs.decisions import decisions
from deploy.docs.errors import errors_document
from deploy.docs.map import mermaid_map, text_map
from deploy.docs.references import render_references
from kit.problems import NotFound

DOCUMENTS: dict[str, dict[str, Any]] = {
    "users": {
        "x-entities": {"users": {"key": "userId", "exposes": ["userId"], "referableBy": ["self", "roles: admin"]}}
    },
    "bots": {
        "x-entities": {
            "trading_bots": {
                "key": "botId",
                "parts": [{"collection": "bot_events", "field": "botId"}],
                "references": [
                    {
                        "relationship": "trading_bots.userId",
                        "parent": "users",
                        "onDelete": "CASCADE",
                        "match": {"owner": "userId"},
                        "restrictIf": {"status": "running"},
                        "default": "caller",
                    },
                    {
                        "relationship": "trading_bots.sourceId",
                        "by": "sourceType",
                        "parents": {"user": {"parent": "users"}, "bot": {"parent": "trading_bots"}},
                        "onDelete": "RESTRICT",
                    },
                ],
            }
        }
    },
}


def test_every_problem_has_one_row_with_its_code_and_status() -> None:
    rows = [line for line in errors_document().splitlines() if line.startswith("| `")]
    codes = [row.split("`")[1] for row in rows]
    assert codes == sorted(codes)
    assert f"| `not-found` | 404 | any | {NotFound.title} |  |" in rows


def test_reference_over_services_names_the_owner_and_its_options() -> None:
    assert (
        "| `trading_bots.userId` | `users` | users ← bots | CASCADE "
        '| `{"status": "running"}` | `owner` = `userId` |  |  | the caller\'s own if left out |'
    ) in render_references(DOCUMENTS)


def test_polymorphic_reference_has_a_row_for_each_parent() -> None:
    rendered = render_references(DOCUMENTS)
    for value, parent, where in (("user", "users", "users ← bots"), ("bot", "trading_bots", "bots")):
        cells = f"`trading_bots.sourceId` if `sourceType` is `{value}` | `{parent}` | {where} | RESTRICT"
        assert f"| {cells} |  |  |  |  |  |" in rendered


def test_entity_names_its_parts_and_who_may_refer_to_it() -> None:
    document = render_references(DOCUMENTS)
    assert "| `users` | users | `userId` |  |  | `userId` | self; roles: admin |" in document
    assert "| `trading_bots` | bots | `botId` |  | `bot_events` (`botId`) |  | anyone |" in document


def test_map_draws_each_reference_once_below_its_parent_and_ends_at_what_was_drawn() -> None:
    lines = [line.split("  ")[0].rstrip() for line in text_map(DOCUMENTS)]
    assert lines == [
        "```text",
        "users",
        "├─ trading_bots.userId",
        "│",
        "└─ trading_bots.sourceId [user] …",
        "```",
    ]


def test_map_for_viewers_has_an_arrow_per_parent() -> None:
    arrows = [line.strip() for line in mermaid_map(DOCUMENTS) if "|" in line]
    assert arrows == [
        'trading_bots -->|"userId<br/>CASCADE or RESTRICT"| users',
        'trading_bots ==>|"sourceId<br/>RESTRICT"| users',
        'trading_bots ==>|"sourceId<br/>RESTRICT"| trading_bots',
    ]


def test_what_could_block_below_the_root_is_told_with_what_decides_it() -> None:
    account = {"relationship": "accounts.userId", "parent": "users", "onDelete": "CASCADE"}
    bot = {
        "relationship": "bots.accountId",
        "parent": "accounts",
        "onDelete": "RESTRICT",
        "match": {"userId": "userId"},
    }
    user = {"relationship": "bots.userId", "parent": "users", "onDelete": "RESTRICT"}
    entities = {
        "users": {"key": "userId"},
        "accounts": {"key": "accountId", "references": [account]},
        "bots": {"key": "botId", "references": [bot, user]},
        "pairs": {"key": "pairId", "composite": ["symbol"]},
    }
    lines = decisions({"all": {"x-entities": entities}})
    by = "`bots.userId` (RESTRICT): the same `users`, since `userId` is matched"
    assert f"| `bots.accountId` | `accounts` | `users`, by `accounts.userId` | {by} |" in lines
    assert "| `bots.userId` | `users` | nothing | itself |" in lines
    assert lines[-1].endswith("must not return: `pairs`.")
