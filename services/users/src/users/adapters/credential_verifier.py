"""Asking an exchange about credentials, while they are at hand."""

from typing import Protocol

from kit.clock import Clock
from users.domain.exchange_accounts import Validity, not_verified


class CredentialVerifier(Protocol):
    """Checks credentials against their exchange. Must not keep or log them, and must answer within its own bound."""

    async def verify(self, *, exchange_name: str, api_key: str, api_secret: str) -> Validity: ...


class NoVerifier:
    """Stands where no exchange library is installed: nothing is known of any credentials."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def verify(self, *, exchange_name: str, api_key: str, api_secret: str) -> Validity:  # noqa: ARG002
        """Unknown, with the reason `not-verified`."""
        return not_verified(self._clock.now())
