"""The life of a parent as one table: what is absent is illegal. Every arrow is a compare-and-set on (state, epoch).

A row without the field is active, at epoch 0. An epoch is raised by whatever begins a new attempt or ends one undone,
so that a closure of the attempt before is known to be outdated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kit.store.hidden import PARENT_STATE
from kit.store.rows import Filter, Row


class ParentState(StrEnum):
    ACTIVE = "active"
    DELETING = "deleting"
    PURGING = "purging"
    GONE = "gone"


class Step(StrEnum):
    MARK = "mark"
    REFUSE = "refuse"
    PURGE = "purge"
    FORCE = "force"
    FINISH = "finish"
    ABANDON = "abandon"


TRANSITIONS: Mapping[tuple[ParentState, Step], ParentState] = {
    (ParentState.ACTIVE, Step.MARK): ParentState.DELETING,
    (ParentState.DELETING, Step.REFUSE): ParentState.ACTIVE,
    (ParentState.DELETING, Step.PURGE): ParentState.PURGING,
    (ParentState.ACTIVE, Step.FORCE): ParentState.PURGING,
    (ParentState.DELETING, Step.FORCE): ParentState.PURGING,
    (ParentState.PURGING, Step.FINISH): ParentState.GONE,
    # A mark that was sent and did not arrive: raising the epoch sees to it that it never will.
    (ParentState.ACTIVE, Step.ABANDON): ParentState.ACTIVE,
}
RAISES_EPOCH = frozenset({Step.MARK, Step.REFUSE, Step.FORCE, Step.ABANDON})


@dataclass(frozen=True, slots=True)
class ParentAt:
    """Where a parent is. `deletion` is the id of the deletion that it is in, `plan` what its purge was decided on."""

    state: ParentState = ParentState.ACTIVE
    epoch: int = 0
    deletion: str | None = None
    plan: tuple[Mapping[str, Any], ...] | None = None

    def after(self, step: Step) -> "ParentAt":
        """Without deletion and plan. Raises ValueError for a step that the table doesn't have."""
        state = TRANSITIONS.get((self.state, step))
        if state is None:
            raise ValueError(f"a parent that is {self.state} does not {step}")
        return ParentAt(state, self.epoch + (step in RAISES_EPOCH))

    def stored(self) -> dict[str, Any]:
        said: dict[str, Any] = {"state": self.state.value, "epoch": self.epoch}
        if self.deletion is not None:
            said["deletion"] = self.deletion
        if self.plan is not None:
            said["plan"] = [dict(one) for one in self.plan]
        return said

    def filter(self) -> Filter:
        """What a row is compared with: state and epoch."""
        if self == UNTOUCHED:
            return {PARENT_STATE: {"$exists": False}}
        return {f"{PARENT_STATE}.state": self.state.value, f"{PARENT_STATE}.epoch": self.epoch}


UNTOUCHED = ParentAt()


def parent_at(row: Row) -> ParentAt:
    said = row.get(PARENT_STATE)
    if said is None:
        return UNTOUCHED
    plan = said.get("plan")
    return ParentAt(
        ParentState(said["state"]),
        int(said["epoch"]),
        said.get("deletion"),
        None if plan is None else tuple(plan),
    )
