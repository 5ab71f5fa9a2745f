"""What travels."""

from typing import Annotated

from journals.references import JournalBotRef, JournalUserRef
from kit.schemas import ReadModel, Timestamp, WriteModel, text

TEXT_CHARACTERS_MAX = 4000

JournalText = Annotated[str, text(TEXT_CHARACTERS_MAX, multiline=True)]


class JournalCreate(WriteModel):
    user_id: JournalUserRef | None = None
    bot_id: JournalBotRef | None = None
    text: JournalText


class JournalPatch(WriteModel):
    """A `botId` of null takes the journal off its bot."""

    bot_id: JournalBotRef | None = None


class JournalOut(ReadModel):
    journal_id: str
    user_id: str
    bot_id: str | None
    text: str
    created_at: Timestamp
    updated_at: Timestamp
    version: int
