"""The gateway's word to a service: one compact JWS (HS256) per request in `X-Omnitrade-Context`.

It names the request it was made for (audience, method, path with query), the caller, the deadline and, for a write with
references, the SHA-256 of the body and the references that were validated. Every service has a key of its own, so that
a service could forge a context only for itself. The format is RFC 7515's; signing is done here rather than with a JWT
library since it happens twice per request, and this costs an eighth. The header is fixed, so there is no algorithm
to choose.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from kit.identity import ANONYMOUS, Caller

HEADER_NAME = "X-Omnitrade-Context"
REFUSED = {HEADER_NAME: "refused"}
"""What the answer of a service says that refuses the context itself, so that nobody takes it for a word about the
client's credentials."""
ISSUER = "gateway"
LIFETIME_MAX_S = 30
SKEW_S = 5
TOKEN_BYTES_MAX = 256 * 1024
_JWS_HEADER = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"  # {"alg":"HS256","typ":"JWT"}


class InvalidContext(Exception):  # noqa: N818 (a verdict on what was sent)
    """The context is missing, forged, out of date, or of another request. The message is for the log only."""


@dataclass(frozen=True, slots=True)
class ValidatedReference:
    """One reference that its owner confirmed: `relationship` ("trading_bots.userId") to `parent` ("users") `id`, at the
    owner's `epoch`. `copied` holds parent fields by their names there, `key` a composite key's child fields."""

    relationship: str
    parent: str
    id: str
    epoch: int = 0
    copied: Mapping[str, Any] = field(default_factory=dict)
    key: Mapping[str, Any] | None = None

    def claims(self) -> dict[str, Any]:
        claims: dict[str, Any] = {"relationship": self.relationship, "parent": self.parent, "id": self.id}
        if self.epoch:
            claims["epoch"] = self.epoch
        if self.copied:
            claims["copied"] = dict(self.copied)
        if self.key is not None:
            claims["key"] = dict(self.key)
        return claims


@dataclass(frozen=True, slots=True)
class RequestContext:
    """`path` includes the query. `deadline` is in epoch milliseconds, `expires_at` in epoch seconds. `body_sha256`
    is the hexadecimal digest of the body as it was sent. `versions` holds, for an operation whose conditions on
    parents the service named itself, the version of the document that they were named for, as {"document":
    version}."""

    audience: str
    method: str
    path: str
    request_id: str
    deadline: int
    expires_at: int
    caller: Caller = ANONYMOUS
    issuer: str = ISSUER
    body_sha256: str | None = None
    references: tuple[ValidatedReference, ...] = ()
    references_digest: str | None = None
    replay_only: bool = False
    versions: Mapping[str, int] | None = None


def body_digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(data: bytes) -> bytes:
    return base64.b64decode(data + b"=" * (-len(data) % 4), altchars=b"-_", validate=True)


def sign_context(context: RequestContext, key: bytes) -> str:
    claims: dict[str, Any] = {
        "iss": context.issuer,
        "aud": context.audience,
        "exp": context.expires_at,
        "method": context.method,
        "path": context.path,
        "rid": context.request_id,
        "deadline": context.deadline,
    }
    if context.caller.id is not None:
        claims["sub"] = context.caller.id
    if context.caller.roles:
        claims["roles"] = sorted(context.caller.roles)
    if context.caller.scopes is not None:
        claims["scopes"] = sorted(context.caller.scopes)
    if context.body_sha256 is not None:
        claims["body"] = context.body_sha256
    if context.references:
        claims["refs"] = [reference.claims() for reference in context.references]
    if context.references_digest is not None:
        claims["digest"] = context.references_digest
    if context.replay_only:
        claims["replay"] = True
    if context.versions is not None:
        claims["versions"] = dict(context.versions)
    signed = _JWS_HEADER + b"." + _encode(orjson.dumps(claims))
    return (signed + b"." + _encode(hmac.digest(key, signed, "sha256"))).decode("ascii")


def verify_context(
    token: str, keys: Sequence[bytes], *, audience: str, method: str, path: str, now: datetime
) -> RequestContext:
    """The context, if one of `keys` signed it for exactly this request and it has not expired; else InvalidContext."""
    claims = _verified_claims(token, keys)
    now_s = now.timestamp()
    try:
        context = _context_of(claims)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidContext("malformed claims") from error
    if context.issuer != ISSUER or context.audience != audience:
        raise InvalidContext("issuer or audience of another")
    if not now_s - SKEW_S < context.expires_at <= now_s + LIFETIME_MAX_S + SKEW_S:
        raise InvalidContext("expired, or valid for too long")
    if context.method != method or context.path != path:
        raise InvalidContext("made for another request")
    return context


def _verified_claims(token: str, keys: Sequence[bytes]) -> Any:
    if not token:
        raise InvalidContext("missing")
    if len(token) > TOKEN_BYTES_MAX:
        raise InvalidContext("too long")
    try:
        signed, _, signature_text = token.encode("ascii").rpartition(b".")
        header, _, payload = signed.partition(b".")
        signature = _decode(signature_text)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise InvalidContext("not a compact JWS") from error
    if header != _JWS_HEADER:
        raise InvalidContext("another header than this platform's")
    if not any(hmac.compare_digest(hmac.digest(key, signed, "sha256"), signature) for key in keys):
        raise InvalidContext("signed with no key of this service")
    try:
        return orjson.loads(_decode(payload))
    except (orjson.JSONDecodeError, binascii.Error) as error:
        raise InvalidContext("malformed payload") from error


def _context_of(claims: Any) -> RequestContext:
    scopes = claims.get("scopes")
    return RequestContext(
        issuer=claims["iss"],
        audience=claims["aud"],
        method=claims["method"],
        path=claims["path"],
        request_id=claims["rid"],
        deadline=int(claims["deadline"]),
        expires_at=int(claims["exp"]),
        caller=Caller(
            id=claims.get("sub"),
            roles=frozenset(claims.get("roles", ())),
            scopes=None if scopes is None else frozenset(scopes),
        ),
        body_sha256=claims.get("body"),
        references=tuple(
            ValidatedReference(
                relationship=item["relationship"],
                parent=item["parent"],
                id=item["id"],
                epoch=item.get("epoch", 0),
                copied=item.get("copied", {}),
                key=item.get("key"),
            )
            for item in claims.get("refs", ())
        ),
        references_digest=claims.get("digest"),
        replay_only=claims.get("replay", False),
        versions=claims.get("versions"),
    )
