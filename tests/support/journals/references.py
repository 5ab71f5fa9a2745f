"""The references that this service's documents hold."""

from typing import Annotated

from kit.ids import Id
from kit.references.declaration import CASCADE, SET_NULL, Reference

JournalUserRef = Annotated[Id, Reference("users", on_delete=CASCADE, default="caller")]
JournalBotRef = Annotated[Id, Reference("trading_bots", on_delete=SET_NULL, match={"userId": "userId"})]
