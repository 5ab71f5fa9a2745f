"""Refresh tokens: one family per sign-in, of which only the newest token is good."""

import base64
import binascii
import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

TOKEN_PREFIX = "omr_"  # noqa: S105 - it marks the kind of a token, for people and secret scanners
SECRET_BYTES = 32


@dataclass(frozen=True)
class SessionLimits:
    """How long a family lives, and how many a user may have."""

    idle_days_max: int
    age_days_max: int
    per_user_max: int


@dataclass(frozen=True)
class PresentedToken:
    """A refresh token taken apart: the family it names and the digest of its secret."""

    family_id: str
    digest: str


def compose_token(family_id: str, secret: bytes) -> str:
    """The token a client keeps. The secret has `SECRET_BYTES` random bytes and is kept nowhere else."""
    return TOKEN_PREFIX + base64.urlsafe_b64encode(uuid.UUID(family_id).bytes + secret).decode().rstrip("=")


def parse_token(token: str) -> PresentedToken | None:
    """The parts of a refresh token, or None for anything that was never one."""
    if not token.startswith(TOKEN_PREFIX) or not token.isascii():
        return None
    text = token.removeprefix(TOKEN_PREFIX)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != 16 + SECRET_BYTES:
        return None
    return PresentedToken(family_id=str(uuid.UUID(bytes=raw[:16])), digest=secret_digest(raw[16:]))


def secret_digest(secret: bytes) -> str:
    """What is stored of a secret. It is random and long, so that a plain SHA-256 can't be searched."""
    return hashlib.sha256(secret).hexdigest()


def is_current(presented: PresentedToken, *, stored_digest: str, expires_at: datetime, now: datetime) -> bool:
    """Whether a presented token is its family's newest one, in time. Compared in constant time."""
    return hmac.compare_digest(presented.digest, stored_digest) and now < expires_at


def expiry(*, signed_in_at: datetime, now: datetime, limits: SessionLimits) -> datetime:
    """When a family ends that is used now: idle time counts from now, the whole age from the sign-in."""
    return min(now + timedelta(days=limits.idle_days_max), signed_in_at + timedelta(days=limits.age_days_max))
