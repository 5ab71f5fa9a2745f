"""Generated documents say what their sources say."""

from typing import Any

from deploy.docs.errors import errors_document
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
        '| match `owner` = `userId`; restricted while `{"status": "running"}`; the caller\'s own if left out |'
    ) in render_references(DOCUMENTS)


def test_polymorphic_reference_names_each_parent_by_its_value() -> None:
    parents = "by `sourceType`: `user`: `users`, `bot`: `trading_bots`"
    row = f"| `trading_bots.sourceId` | {parents} | users, bots ← bots | RESTRICT |  |"
    assert row in render_references(DOCUMENTS)


def test_entity_names_its_parts_and_who_may_refer_to_it() -> None:
    document = render_references(DOCUMENTS)
    assert "| `users` | users | `userId` |  | `userId` | self; roles: admin |" in document
    assert "| `trading_bots` | bots | `botId` | `bot_events` |  |  |" in document
