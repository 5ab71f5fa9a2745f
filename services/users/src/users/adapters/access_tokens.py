"""Access tokens: JWTs signed with Ed25519 (RFC 8037), and the keys that verify them."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.ids import new_id
from kit.secrets import DEVELOPMENT_PREFIX

ISSUER = "omnitrade"
AUDIENCE = "omnitrade"
LIFETIME_S = 900
KEYS_MAX = 10
SEED_BYTES = 32


class InvalidSigningKeysError(ValueError):
    """JWT_SIGNING_KEYS doesn't have its form. Never holds a key."""


@dataclass(frozen=True)
class SigningKey:
    """A private key and its name, the thumbprint of its public half (RFC 7638)."""

    kid: str
    private: Ed25519PrivateKey
    public_x: str

    @property
    def jwk(self) -> dict[str, str]:
        """The public half, as it is published."""
        return {"kty": "OKP", "crv": "Ed25519", "x": self.public_x, "kid": self.kid, "use": "sig", "alg": "EdDSA"}


def parse_signing_keys(text: str) -> tuple[SigningKey, ...]:
    """The keys of JWT_SIGNING_KEYS: base64url seeds of 32 bytes with commas between; the first signs.

    A seed that was made for development carries that prefix. Raises InvalidSigningKeysError with the bad one's position.
    """
    seeds = [seed.strip().removeprefix(DEVELOPMENT_PREFIX) for seed in text.split(",")]
    if not 1 <= len(seeds) <= KEYS_MAX:
        raise InvalidSigningKeysError(f"JWT_SIGNING_KEYS has 1 to {KEYS_MAX} keys")
    keys = tuple(_signing_key(seed, place) for place, seed in enumerate(seeds, start=1))
    if len({key.kid for key in keys}) != len(keys):
        raise InvalidSigningKeysError("JWT_SIGNING_KEYS has a key twice")
    return keys


def _signing_key(seed: str, place: int) -> SigningKey:
    try:
        raw = base64.b64decode(seed + "=" * (-len(seed) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != SEED_BYTES:
        raise InvalidSigningKeysError(
            f"key {place} of JWT_SIGNING_KEYS is not the base64url form of {SEED_BYTES} bytes"
        )
    private = Ed25519PrivateKey.from_private_bytes(raw)
    public_x = _base64url(private.public_key().public_bytes_raw())
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": public_x}, separators=(",", ":"))
    return SigningKey(kid=_base64url(hashlib.sha256(members.encode()).digest()), private=private, public_x=public_x)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class AccessTokens:
    """Issues tokens with the first key and publishes all of them."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._signing = keys[0]
        self._jwks = {"keys": [key.jwk for key in keys]}

    def issue(self, *, user_id: str, roles: Sequence[str], now: datetime) -> str:
        """A token for `LIFETIME_S` seconds (the claims of RFC 9068, with the user's roles)."""
        issued_at_s = int(now.timestamp())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "roles": list(roles),
            "iat": issued_at_s,
            "exp": issued_at_s + LIFETIME_S,
            "jti": new_id(),
        }
        headers = {"kid": self._signing.kid, "typ": "at+jwt"}
        return jwt.encode(claims, self._signing.private, algorithm="EdDSA", headers=headers)

    def jwks(self) -> dict[str, Any]:
        """The public keys, as a JSON Web Key Set (RFC 7517)."""
        return self._jwks
