"""Which stored documents have accounts, and what follows from movements."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kit.documents import Stored
from staking.domain.ledger import Movement, Place
from staking.domain.ledger_kinds import KindRules


@dataclass(frozen=True, slots=True)
class AccountKind:
    """The document has, besides its amount fields (int), `version: int` and `marks: dict[str, Any]`, and `entry_count:
    int` where the kind keeps entries. The ledger raises the version with every update. `ids`: which documents are of
    this kind, where the collection has others too. `is_deletable`: it may be marked for deletion while it has neither
    marks nor amounts, and nothing is held there from then on."""

    rules: KindRules
    document: type[Stored]
    ids: frozenset[str] | None = None
    is_deletable: bool = False


@dataclass(frozen=True, slots=True)
class EffectCall:
    """`captured`: per document the fields that its guard asked for, as they were right after it was settled."""

    movement: Movement
    posted: bool
    data: Mapping[str, Any]
    captured: Mapping[Place, Mapping[str, Any]]


EffectHandler = Callable[[EffectCall], Awaitable[None]]
