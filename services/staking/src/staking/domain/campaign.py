"""A reward campaign's life cycle: what is absent is illegal."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class CampaignState(StrEnum):
    """A pending one waits for its budget and is seen by nobody."""

    PENDING = "pending"
    OPEN = "open"
    CLOSED = "closed"


class CampaignAction(StrEnum):
    REWARD = "reward"
    CLOSE = "close"


TRANSITIONS: Mapping[tuple[CampaignState, CampaignAction], CampaignState] = MappingProxyType(
    {
        (CampaignState.OPEN, CampaignAction.REWARD): CampaignState.OPEN,
        (CampaignState.OPEN, CampaignAction.CLOSE): CampaignState.CLOSED,
    }
)


def next_campaign_state(state: CampaignState, action: CampaignAction) -> CampaignState | None:
    """Where the action leads from here, or None where it is illegal."""
    return TRANSITIONS.get((state, action))


def allowed_campaign_actions(state: CampaignState) -> list[CampaignAction]:
    """The legal actions of a state, in the order of their declaration."""
    return [action for action in CampaignAction if (state, action) in TRANSITIONS]
