"""What the ledger knows about each kind of document that has accounts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from staking.domain.ledger import Movement

OnChange = Callable[[Mapping[str, Any], datetime], Mapping[str, Any]]
OnSettle = Callable[[Mapping[str, Any], Movement, datetime], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class AmountField:
    """`floor` is the least it may hold. `opening` names the stored field that tells what it held before its first
    movement (a pool's capacity opens at `capacityMax`); without one it opens at zero."""

    name: str
    floor: int = 0
    opening: str | None = None


@dataclass(frozen=True, slots=True)
class KindRules:
    """What one kind of document has.

    `on_change(fields, now)`: further fields to set in the same conditional update whenever an amount changes, from
    the stored fields as they were before it (a pool's emission index runs up to now with the principal it had).
    Pure; `now` may be earlier than what is stored, since it is another process' clock. `reads`: the stored fields
    that it, guards and captures look at.
    `on_settle(fields, movement, now)`: further fields to set in the update that settles a posted movement there,
    once and only once for each, from the fields as they are after its credits and puts (a funded pool's reserve).
    Pure. It is not called where nothing is given, put or captured, since there is no such update.
    `entries`: every leg becomes an entry with a sequence and a running balance, counted in the document's
    `entryCount`."""

    name: str
    amounts: tuple[AmountField, ...]
    reads: tuple[str, ...] = ()
    on_change: OnChange | None = None
    on_settle: OnSettle | None = None
    entries: bool = False

    def floor(self, field: str) -> int:
        return next(amount.floor for amount in self.amounts if amount.name == field)

    def opening(self, field: str, fields: Mapping[str, Any]) -> int:
        source = next(amount.opening for amount in self.amounts if amount.name == field)
        return 0 if source is None else int(fields.get(source) or 0)
