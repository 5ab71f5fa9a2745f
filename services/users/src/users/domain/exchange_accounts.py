"""Exchange accounts: names, hints and what is known of their credentials."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

KEY_HINT_LENGTH = 4
API_KEY_LENGTH_MIN = 8
API_KEY_LENGTH_MAX = 512
API_SECRET_LENGTH_MIN = 8
API_SECRET_LENGTH_MAX = 4096

_EXCHANGE_NAME = re.compile(r"[a-z][a-z0-9]{1,31}")
_API_KEY = re.compile(r"[!-~]+")
_API_SECRET = re.compile(r"[!-~](?:[ -~\r\n]*[!-~])?")


class ValidityStatus(StrEnum):
    """What the exchange said of the credentials when it was asked last."""

    UNKNOWN = "unknown"
    VALID = "valid"
    INVALID = "invalid"


@dataclass(frozen=True)
class Validity:
    """One check of credentials against their exchange. The reason is None only where they are valid."""

    status: ValidityStatus
    reason: str | None
    permissions: tuple[str, ...]
    checked_at: datetime

    @property
    def is_valid(self) -> bool:
        """Unknown is not valid: only a check that succeeded makes it so."""
        return self.status is ValidityStatus.VALID


def not_verified(checked_at: datetime) -> Validity:
    """The answer where no exchange can be asked."""
    return Validity(status=ValidityStatus.UNKNOWN, reason="not-verified", permissions=(), checked_at=checked_at)


def normalise_exchange_name(raw: str) -> str:
    """The ccxt id of an exchange, in lower case (`Binance` → `binance`). Raises ValueError with the reason."""
    name = raw.strip().lower()
    if not _EXCHANGE_NAME.fullmatch(name):
        raise ValueError("an exchange is named by its ccxt id: 2 to 32 letters and digits, a letter first")
    return name


def checked_api_key(raw: str) -> str:
    """An API key as an exchange issues it: printable ASCII without blanks. Raises ValueError, never naming it."""
    if not _API_KEY.fullmatch(raw):
        raise ValueError("an API key has printable ASCII characters only, and no blanks")
    return raw


def checked_api_secret(raw: str) -> str:
    """An API secret: printable ASCII, several lines where it is a PEM key. Raises ValueError, never naming it."""
    secret = raw.strip("\r\n")
    if not _API_SECRET.fullmatch(secret):
        raise ValueError("an API secret has printable ASCII characters only, and no blanks around it")
    return secret


def key_digest(api_key: str, pepper: bytes) -> str:
    """HMAC-SHA-256 of a key: finds the same key again, tells nothing without the pepper."""
    return hmac.new(pepper, api_key.encode(), hashlib.sha256).hexdigest()


def key_hint(api_key: str) -> str:
    """The end of a key, by which its owner knows it."""
    return api_key[-KEY_HINT_LENGTH:]


def warnings(permissions: Sequence[str]) -> list[str]:
    """What the owner should hear of a key's permissions: trading needs no withdrawals."""
    return ["withdraw-permission"] if "withdraw" in permissions else []
