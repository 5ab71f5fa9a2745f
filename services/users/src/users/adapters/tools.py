"""What operations are handed beside the runtime."""

from dataclasses import dataclass

from users.adapters.access_tokens import AccessTokens
from users.adapters.credential_verifier import CredentialVerifier
from users.adapters.secret_hashing import SecretHasher
from users.domain.sessions import SessionLimits


@dataclass(frozen=True)
class Tools:
    """Made when the service starts, shared by its requests."""

    hasher: SecretHasher
    access_tokens: AccessTokens
    verifier: CredentialVerifier
    key_pepper: bytes
    session_limits: SessionLimits
