"""Refresh tokens: one document per family, which knows its newest token only."""

from datetime import datetime

from kit.documents import Entity
from kit.references.rules import EntityRules
from kit.store import index
from users.references import RefreshTokenUserRef


class RefreshToken(Entity):
    """`session_epoch` is the user's at sign-in: the family is over when the user's has moved on."""

    rules = EntityRules(key="refreshTokenId", referable_by=())

    user_id: RefreshTokenUserRef
    secret_digest: str
    session_epoch: int
    expires_at: datetime

    class Settings:
        name = "refresh_tokens"
        indexes = (index("userId", "createdAt"), index("expiresAt"))
