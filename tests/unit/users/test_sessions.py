"""A refresh token names its family, and only the newest one is good."""

from datetime import UTC, datetime, timedelta

import pytest

from users.domain.sessions import (
    SECRET_BYTES,
    SessionLimits,
    compose_token,
    expiry,
    is_current,
    parse_token,
    secret_digest,
)

FAMILY = "01890a5d-ac96-774b-bcce-b302099a8057"
SECRET = bytes(range(SECRET_BYTES))
NOW = datetime(2026, 11, 23, 15, 27, 18, tzinfo=UTC)
LIMITS = SessionLimits(idle_days_max=30, age_days_max=90, per_user_max=50)


def test_token_is_taken_apart_into_what_it_was_made_of() -> None:
    presented = parse_token(compose_token(FAMILY, SECRET))
    assert presented is not None
    assert (presented.family_id, presented.digest) == (FAMILY, secret_digest(SECRET))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "omr_",
        "omr_AAAA",
        "omr_" + "A" * 500,
        "omr_****",
        "omr_ü",
        compose_token(FAMILY, SECRET)[4:],
        "omk_" + "A" * 64,
    ],
)
def test_what_was_never_a_token_is_none(token: str) -> None:
    assert parse_token(token) is None


def test_secret_is_not_in_its_digest() -> None:
    assert SECRET.hex() not in secret_digest(SECRET)


def test_only_the_newest_token_in_time_is_current() -> None:
    presented = parse_token(compose_token(FAMILY, SECRET))
    assert presented is not None
    ends = NOW + timedelta(seconds=1)
    assert is_current(presented, stored_digest=secret_digest(SECRET), expires_at=ends, now=NOW)
    assert not is_current(presented, stored_digest=secret_digest(SECRET[::-1]), expires_at=ends, now=NOW)
    assert not is_current(presented, stored_digest=secret_digest(SECRET), expires_at=NOW, now=NOW)


def test_use_extends_a_family_by_its_idle_time_but_never_past_its_age() -> None:
    assert expiry(signed_in_at=NOW, now=NOW, limits=LIMITS) == NOW + timedelta(days=30)
    later = NOW + timedelta(days=20)
    assert expiry(signed_in_at=NOW, now=later, limits=LIMITS) == NOW + timedelta(days=50)
    late = NOW + timedelta(days=80)
    assert expiry(signed_in_at=NOW, now=late, limits=LIMITS) == NOW + timedelta(days=90)
