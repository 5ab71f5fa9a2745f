"""What a trader writes down, about one bot or about none."""

from typing import ClassVar

from journals.references import JournalBotRef, JournalUserRef
from kit.documents import Entity
from kit.references.rules import EntityRules
from kit.store import index


class Journal(Entity):
    """Nobody refers to it."""

    rules: ClassVar[EntityRules] = EntityRules(key="journalId", referable_by=())

    user_id: JournalUserRef
    bot_id: JournalBotRef | None = None
    text: str

    class Settings:
        name = "journals"
        indexes: ClassVar = (index("userId", "createdAt"),)
