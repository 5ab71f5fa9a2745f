"""How a bot trades."""

from enum import StrEnum


class BotMode(StrEnum):
    PAPER = "paper"
    LIVE = "live"
