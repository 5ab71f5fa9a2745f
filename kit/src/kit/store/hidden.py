"""The fields that kit keeps in a stored document beside the declared ones, and what they say."""

from collections.abc import Mapping
from typing import Any

INTENT = "_intent"
TOKEN = "_token"  # noqa: S105 (the name of a field)
PARENT_STATE = "_parent"
INTENT_KIND = f"{INTENT}.kind"
INTENT_TOKEN = f"{INTENT}.token"
INTENT_REFS = f"{INTENT}.refs"

CREATE = "create"
CHANGE = "change"
# The embedded store matches `$ne` on a path that is missing in reads, but not in updates; `$nin` it takes alike.
NOT_AN_INTENT = {"$nin": [CREATE]}


def is_create_intent(row: Mapping[str, Any]) -> bool:
    """Whether the row is not a document yet. A row with the slot of a change is one."""
    intent = row.get(INTENT)
    return intent is not None and intent.get("kind") == CREATE
