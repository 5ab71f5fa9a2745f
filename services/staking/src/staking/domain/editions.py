"""Versions that clients see. The ledger raises a document's own version with every write, its marks too; an edition
counts only what can be seen from outside, so that a client's version stays good while a movement is cleaned up."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

EDITION = "edition"


def next_edition(fields: Mapping[str, Any], now: datetime) -> dict[str, Any]:  # noqa: ARG001 (one of the ledger's hooks)
    """What the ledger sets whenever an account of the document changes."""
    return {EDITION: fields[EDITION] + 1}
