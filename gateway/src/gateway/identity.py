"""Who calls: the bearer's access token, verified once and remembered until it expires."""

from collections import OrderedDict
from typing import Any, Final

import jwt

from gateway.jwks import KeySet
from kit.clock import Clock, SystemClock
from kit.identity import ANONYMOUS, Caller
from kit.problems import Unauthenticated

TOKEN_LENGTH_MAX: Final = 8 * 1024
ROLES_MAX: Final = 32
LEEWAY_S: Final = 2
_ALGORITHM: Final = "EdDSA"
_REQUIRED: Final = ["exp", "iat", "sub", "iss", "aud"]
_SIGN_IN: Final = "Sign in and send the access token as 'Authorization: Bearer'."


class Identity:
    """Knows callers by their tokens. At most `tokens_max` are remembered, those used last."""

    def __init__(
        self, keys: KeySet, *, issuer: str, audience: str, tokens_max: int, clock: Clock | None = None
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._tokens_max = tokens_max
        self._clock = clock or SystemClock()
        self._known: OrderedDict[bytes, tuple[Caller, float, int]] = OrderedDict()

    async def caller(self, authorization: bytes | None, *, required: bool) -> Caller:
        """The caller of a request. Raises Unauthenticated for a bad token, and for none where one is `required`;
        Unavailable if it can't be verified now."""
        if authorization is None:
            if required:
                raise Unauthenticated(_SIGN_IN)
            return ANONYMOUS
        known = self._known.get(authorization)
        if known is not None:
            caller, expires_at, generation = known
            if expires_at > self._clock.now().timestamp() and generation == self._keys.generation:
                self._known.move_to_end(authorization)
                return caller
            del self._known[authorization]
        return await self._verified(authorization)

    async def _verified(self, authorization: bytes) -> Caller:
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not 0 < len(token) <= TOKEN_LENGTH_MAX:
            raise Unauthenticated(_SIGN_IN)
        text = token.strip().decode("latin-1")
        key = await self._keys.key(_key_name(text))
        if key is None:
            raise Unauthenticated("The access token is signed with a key that is not known.")
        try:
            claims: dict[str, Any] = jwt.decode(
                text,
                key,  # type: ignore[arg-type]  # an Ed25519 key, as OKPAlgorithm made it
                algorithms=[_ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The access token has expired; refresh it.") from None
        except jwt.InvalidTokenError:
            raise Unauthenticated("The access token is not valid.") from None
        caller = _caller_of(claims)
        self._remember(authorization, caller, float(claims["exp"]) + LEEWAY_S)
        return caller

    def _remember(self, authorization: bytes, caller: Caller, expires_at: float) -> None:
        self._known[authorization] = (caller, expires_at, self._keys.generation)
        while len(self._known) > self._tokens_max:
            self._known.popitem(last=False)


def _key_name(token: str) -> str:
    """The name of the key that a token says it is signed with. Raises Unauthenticated if it is no token of this
    platform."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise Unauthenticated("The access token is not valid.") from None
    kid = header.get("kid")
    if header.get("alg") != _ALGORITHM or not isinstance(kid, str):
        raise Unauthenticated("The access token is not valid.")
    return kid


def _caller_of(claims: dict[str, Any]) -> Caller:
    roles = claims.get("roles", [])
    if not isinstance(roles, list) or len(roles) > ROLES_MAX or not all(isinstance(role, str) for role in roles):
        raise Unauthenticated("The access token is not valid.")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise Unauthenticated("The access token is not valid.")
    return Caller(id=claims["sub"], roles=frozenset(roles))
