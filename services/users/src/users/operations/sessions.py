"""Signing in, trading refresh tokens, signing out."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit.ids import new_id
from kit.problems import ReferenceClosed, ReferenceNotFound, Unauthenticated, Unavailable
from kit.references.attached import Attached
from kit.runtime import Runtime
from kit.store.hidden import PARENT_STATE
from users.adapters.access_tokens import LIFETIME_S
from users.adapters.tools import Tools
from users.documents.refresh_tokens import RefreshToken
from users.documents.users import User
from users.domain.emails import normalise_email
from users.domain.life_cycle import Status
from users.domain.sessions import (
    SECRET_BYTES,
    PresentedToken,
    compose_token,
    expiry,
    is_current,
    parse_token,
    secret_digest,
)
from users.problems import UserSuspended

SURPLUS_MAX = 100
NOT_PURGING = {f"{PARENT_STATE}.state": {"$nin": ["purging"]}}


@dataclass(frozen=True)
class IssuedTokens:
    """What a client gets; the refresh token's secret is kept nowhere."""

    access_token: str
    refresh_token: str
    expires_in_s: int


async def sign_in(runtime: Runtime, tools: Tools, email: str, password: str) -> IssuedTokens:
    """Tokens for an email and its password.

    A wrong password and an unknown email take as long and get the same Unauthenticated. Raises UserSuspended, and
    Unavailable while it is not decided whether the user is deleted.
    """
    user = await _user_of(runtime, email)
    if not await tools.hasher.verify(user.password_hash if user else None, password) or user is None:
        raise _wrong()
    _check_active(user)
    if tools.hasher.is_outdated(user.password_hash):
        await _renew_hash(runtime, tools, user, password)
    return await _begin_session(runtime, tools, user)


async def refresh(runtime: Runtime, tools: Tools, token: str) -> IssuedTokens:
    """New tokens for the newest refresh token of a family, which is spent by this.

    Raises Unauthenticated for any other, and once the user's sessions were ended; UserSuspended.
    """
    presented = parse_token(token)
    family = await _current_family(runtime, presented)
    user = await _find_user(runtime, {"_id": family.user_id})
    if user is None or user.status is Status.ERASED:
        raise _not_current()
    _check_active(user)
    if family.session_epoch != user.session_epoch:
        raise _not_current()
    now, secret = runtime.clock.now(), secrets.token_bytes(SECRET_BYTES)
    rotated = await runtime.store.collection(RefreshToken).update(
        {"_id": family.id, "secretDigest": family.secret_digest},
        {
            "$set": {
                "secretDigest": secret_digest(secret),
                "expiresAt": expiry(signed_in_at=family.created_at, now=now, limits=tools.session_limits),
                "updatedAt": now,
            },
            "$inc": {"version": 1},
        },
    )
    if not rotated:
        raise _not_current()
    return _issued(runtime, tools, user, compose_token(family.id, secret))


async def sign_out(runtime: Runtime, token: str) -> None:
    """End the family of a refresh token. Whatever isn't current has nothing left to end (RFC 7009 §2.2)."""
    presented = parse_token(token)
    if presented is not None:
        await runtime.store.collection(RefreshToken).delete(
            {"_id": presented.family_id, "secretDigest": presented.digest}
        )


async def _user_of(runtime: Runtime, email: str) -> User | None:
    try:
        normalised = normalise_email(email)
    except ValueError:
        return None
    return await _find_user(runtime, {"email": normalised})


async def _find_user(runtime: Runtime, where: Mapping[str, Any]) -> User | None:
    """Not one that is being deleted for good: nobody signs in as that any more."""
    return await runtime.store.collection(User).find_one({**where, **NOT_PURGING})


async def _begin_session(runtime: Runtime, tools: Tools, user: User) -> IssuedTokens:
    now, secret = runtime.clock.now(), secrets.token_bytes(SECRET_BYTES)
    family = RefreshToken(
        id=new_id(),
        user_id=user.id,
        secret_digest=secret_digest(secret),
        session_epoch=user.session_epoch,
        expires_at=expiry(signed_in_at=now, now=now, limits=tools.session_limits),
        created_at=now,
        updated_at=now,
    )
    try:
        await runtime.references.create(family, Attached(()))
    except (ReferenceNotFound, ReferenceClosed) as refused:
        if await _find_user(runtime, {"_id": user.id}) is None:
            raise _wrong() from refused
        raise Unavailable("The account is being deleted, or is not after all; try again.") from refused
    await _end_oldest(runtime, user.id, keep=tools.session_limits.per_user_max)
    return _issued(runtime, tools, user, compose_token(family.id, secret))


async def _end_oldest(runtime: Runtime, user_id: str, *, keep: int) -> None:
    """Nobody collects sessions without end: the newest `keep` stay."""
    families = runtime.store.collection(RefreshToken)
    newest_first = [("createdAt", -1), ("_id", -1)]
    surplus = await families.find({"userId": user_id}, sort=newest_first, skip=keep, limit=SURPLUS_MAX)
    if surplus:
        # Nobody refers to a refresh token: it may go without further ado.
        await families.delete_many({"_id": {"$in": [family.id for family in surplus]}})


async def _current_family(runtime: Runtime, presented: PresentedToken | None) -> RefreshToken:
    family = await runtime.store.collection(RefreshToken).get(presented.family_id) if presented else None
    if presented is None or family is None:
        raise _not_current()
    now = runtime.clock.now()
    if not is_current(presented, stored_digest=family.secret_digest, expires_at=family.expires_at, now=now):
        raise _not_current()
    return family


async def _renew_hash(runtime: Runtime, tools: Tools, user: User, password: str) -> None:
    renewed = await tools.hasher.hash(password)
    await runtime.store.collection(User).update(
        {"_id": user.id, "passwordHash": user.password_hash}, {"$set": {"passwordHash": renewed}}
    )


def _check_active(user: User) -> None:
    if user.status is not Status.ACTIVE:
        raise UserSuspended("The account can't be used now; ask an admin.")


def _issued(runtime: Runtime, tools: Tools, user: User, refresh_token: str) -> IssuedTokens:
    access_token = tools.access_tokens.issue(user_id=user.id, roles=user.roles, now=runtime.clock.now())
    return IssuedTokens(access_token=access_token, refresh_token=refresh_token, expires_in_s=LIFETIME_S)


def _wrong() -> Unauthenticated:
    return Unauthenticated("The email or the password is wrong.")


def _not_current() -> Unauthenticated:
    return Unauthenticated("The refresh token is not valid, is used up or has expired; sign in again.")
