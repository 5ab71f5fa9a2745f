import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest

from kit.context import (
    TOKEN_BYTES_MAX,
    InvalidContext,
    RequestContext,
    ValidatedReference,
    sign_context,
    verify_context,
)
from kit.identity import Caller

KEY = b"k" * 32
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
CONTEXT = RequestContext(
    audience="bots",
    method="POST",
    path="/v1/bots?dry=1",
    request_id="r1",
    deadline=NOW_S * 1000 + 10_000,
    expires_at=NOW_S + 20,
    caller=Caller("u1", frozenset({"user", "engine"}), frozenset({"bots"})),
    body_sha256="ab" * 32,
    references=(
        ValidatedReference("trading_bots.userId", "users", "u1", 3),
        ValidatedReference("trading_bots.exchangeAccountId", "exchange_accounts", "a1", 0, {"exchangeName": "binance"}),
        ValidatedReference("trading_bots.marketPair", "market_pairs", "p1", 0, {}, {"marketPair": "BTC/USDT"}),
    ),
    references_digest="d1",
    versions={"document": 4},
)


def verified(token: str, **changes: Any) -> RequestContext:
    asked = {"audience": "bots", "method": "POST", "path": "/v1/bots?dry=1", "now": NOW, **changes}
    return verify_context(token, [KEY], **asked)


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_was_signed_is_what_is_verified() -> None:
    assert verified(sign_context(CONTEXT, KEY)) == CONTEXT


def test_smallest_context_comes_back_with_its_defaults() -> None:
    small = RequestContext(
        audience="bots", method="GET", path="/", request_id="r", deadline=0, expires_at=NOW_S + 1, replay_only=True
    )
    assert verified(sign_context(small, KEY), method="GET", path="/") == small


def test_token_is_a_jws_that_other_libraries_read_and_write() -> None:
    claims = jwt.decode(
        sign_context(CONTEXT, KEY), KEY, algorithms=["HS256"], audience="bots", options={"verify_exp": False}
    )
    assert claims["sub"] == "u1"
    assert verified(jwt.encode(claims, KEY, "HS256")) == CONTEXT


def test_any_key_of_the_service_verifies_so_that_keys_can_be_changed() -> None:
    token = sign_context(CONTEXT, KEY)
    args: dict[str, Any] = {"audience": "bots", "method": "POST", "path": "/v1/bots?dry=1", "now": NOW}
    assert verify_context(token, [b"n" * 32, KEY], **args) == CONTEXT
    for keys in ([b"n" * 32], []):
        with pytest.raises(InvalidContext, match="key"):
            verify_context(token, keys, **args)


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": "users"},
        {"method": "PATCH"},
        {"path": "/v1/bots"},
        {"path": "/v1/bots?dry=1&x=2"},
        {"path": "/v1/%62ots?dry=1"},
    ],
)
def test_context_is_good_for_one_request_of_one_service_only(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidContext):
        verified(sign_context(CONTEXT, KEY), **changes)


@pytest.mark.parametrize("expires_at", [NOW_S - 5, NOW_S - 3600, NOW_S + 36, NOW_S + 10**9, 0, -1])
def test_context_that_expired_or_lives_too_long_is_refused(expires_at: int) -> None:
    with pytest.raises(InvalidContext, match="expired"):
        verified(sign_context(replace(CONTEXT, expires_at=expires_at), KEY))


def test_context_of_another_issuer_is_refused() -> None:
    with pytest.raises(InvalidContext):
        verified(sign_context(replace(CONTEXT, issuer="bots"), KEY))


def test_any_changed_character_is_refused() -> None:
    token = sign_context(CONTEXT, KEY)
    for place in range(0, len(token) - 1, 7):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(InvalidContext):
            verified(token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "é.é.é",
        "x" * (TOKEN_BYTES_MAX + 1),
        f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded({'aud': 'bots'})}.",
        jwt.encode({"aud": "bots"}, KEY + KEY, "HS512"),
        jwt.encode({"aud": "bots"}, KEY, "HS256"),
        jwt.encode({"iss": "gateway", "aud": "bots", "exp": "soon"}, KEY, "HS256", headers={"kid": "1"}),
    ],
)
def test_what_is_no_context_is_refused(token: str) -> None:
    with pytest.raises(InvalidContext):
        verified(token)


@pytest.mark.parametrize("payload", [b"not json", b"[]", b"null", b'{"iss": "gateway"}', b'{"refs": [1]}'])
def test_signed_nonsense_is_refused(payload: bytes) -> None:
    token = jwt.api_jws.encode(payload, KEY, "HS256", headers={"typ": "JWT"})
    with pytest.raises(InvalidContext):
        verified(token)
