"""Tokens are signed with the first key, and every published key verifies."""

import json
import secrets
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest

from users.adapters.access_tokens import AUDIENCE, ISSUER, LIFETIME_S, AccessTokens
from users.domain.signing_seeds import parse_seeds

NOW = datetime.now(UTC).replace(microsecond=0)
USER = "01890a5d-ac96-774b-bcce-b302099a8057"


def seed() -> str:
    return secrets.token_urlsafe(32)


def verified(token: str, jwks: dict[str, Any]) -> dict[str, Any]:
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(key for key in jwks["keys"] if key["kid"] == kid)
    claims: dict[str, Any] = jwt.decode(token, jwt.PyJWK(key), algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER)
    return claims


def test_token_verifies_with_the_published_key_and_says_who_it_is_for() -> None:
    tokens = AccessTokens(parse_seeds(seed()))
    claims = verified(tokens.issue(user_id=USER, roles=["user", "admin"], now=NOW), tokens.jwks())
    assert (claims["sub"], claims["roles"]) == (USER, ["user", "admin"])
    assert claims["exp"] - claims["iat"] == LIFETIME_S
    assert claims["iat"] == int(NOW.timestamp())


def test_every_token_is_its_own() -> None:
    tokens = AccessTokens(parse_seeds(seed()))
    assert tokens.issue(user_id=USER, roles=[], now=NOW) != tokens.issue(user_id=USER, roles=[], now=NOW)


def test_token_lives_through_every_step_of_a_rotation() -> None:
    old, new = seed(), seed()
    before = AccessTokens(parse_seeds(old))
    announced = AccessTokens(parse_seeds(f"{old},{new}"))
    rotated = AccessTokens(parse_seeds(f"{new}, {old}"))
    token = before.issue(user_id=USER, roles=[], now=NOW)
    for replica in (before, announced, rotated):
        assert verified(token, replica.jwks())["sub"] == USER
    fresh = rotated.issue(user_id=USER, roles=[], now=NOW)
    for replica in (announced, rotated, AccessTokens(parse_seeds(new))):
        assert verified(fresh, replica.jwks())["sub"] == USER


def test_private_key_is_not_published() -> None:
    secret = seed()
    published = AccessTokens(parse_seeds(secret)).jwks()["keys"][0]
    assert "d" not in published
    assert secret not in json.dumps(published)


def test_key_is_named_by_its_thumbprint() -> None:
    """The example of RFC 8037 §A.3."""
    raw = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = AccessTokens([raw]).jwks()["keys"][0]
    assert key["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert key["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


@pytest.mark.parametrize(
    "text",
    ["", ",", "short", seed()[:-1], seed() + "," + "not base64!", seed() + ",", ",".join(seed() for _ in range(11))],
)
def test_keys_in_another_form_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="key") as caught:
        parse_seeds(text)
    assert all(part not in str(caught.value) for part in text.split(",") if len(part) > 3)


def test_key_given_twice_is_refused() -> None:
    one = seed()
    with pytest.raises(ValueError, match="twice"):
        parse_seeds(f"{one},{one}")
