"""Access tokens: JWTs signed with Ed25519 (RFC 8037), and the keys that verify them."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.ids import new_id

ISSUER = "omnitrade"
AUDIENCE = "omnitrade"
LIFETIME_S = 900


@dataclass(frozen=True)
class SigningKey:
    """A private key and its name, the thumbprint of its public half (RFC 7638)."""

    kid: str
    private: Ed25519PrivateKey
    public_x: str

    @classmethod
    def from_seed(cls, seed: bytes) -> "SigningKey":
        private = Ed25519PrivateKey.from_private_bytes(seed)
        public_x = _base64url(private.public_key().public_bytes_raw())
        members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": public_x}, separators=(",", ":"))
        return cls(kid=_base64url(hashlib.sha256(members.encode()).digest()), private=private, public_x=public_x)

    @property
    def jwk(self) -> dict[str, str]:
        """The public half, as it is published."""
        return {"kty": "OKP", "crv": "Ed25519", "x": self.public_x, "kid": self.kid, "use": "sig", "alg": "EdDSA"}


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class AccessTokens:
    """Issues tokens with the first key and publishes all of them."""

    def __init__(self, seeds: Sequence[bytes]) -> None:
        keys = [SigningKey.from_seed(seed) for seed in seeds]
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
