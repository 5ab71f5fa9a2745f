"""Movements of the ledger, and the accounts that belong to nobody."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from kit.documents import Record
from kit.store.indexes import index


class MovementRecord(Record):
    """Σ of the legs' amounts is 0. `open` is true until nothing of it is left to do, then absent.

    Legs are {account: "kind:id", field, amount}; `accounts` repeats the documents, for look-ups.
    """

    kind: str
    source: str
    reason: str
    actor_id: str
    at: datetime
    legs: list[dict[str, Any]]
    guards: list[dict[str, Any]] | None = None
    effects: list[dict[str, Any]] | None = None
    accounts: list[str]
    state: str
    posted: bool | None = None
    refusal: dict[str, Any] | None = None
    open: bool | None = None
    written_at: datetime
    decided_at: datetime | None = None
    done_at: datetime | None = None

    class Settings:
        name = "movements"
        indexes: ClassVar = [index("open", "writtenAt"), index("source", "at")]


class LedgerSweep(Record):
    """`_id` is `ledger`. Of what was written before `swept_before`, a sweep has tried everything that was left."""

    swept_before: datetime

    class Settings:
        name = "ledger_sweeps"


class SystemAccount(Record):
    """`treasury`, `penalties`, `dust`. The amount is in units of 1e-8 OMNI."""

    amount: int = 0
    version: int = 1
    marks: dict[str, Any] = Field(default_factory=dict)

    class Settings:
        name = "system_accounts"
