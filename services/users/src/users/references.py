"""The references that this service's documents hold."""

from typing import Annotated

from kit.ids import Id
from kit.references.declaration import CASCADE, Reference

AccountUserRef = Annotated[Id, Reference("users", on_delete=CASCADE, default="caller")]
RefreshTokenUserRef = Annotated[Id, Reference("users", on_delete=CASCADE)]
