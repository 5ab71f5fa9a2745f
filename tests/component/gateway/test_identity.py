"""Who may use what: tokens, the keys that verify them, and operations that need none."""

import asyncio
import time
from typing import Any

import jwt
import pytest
from api import problem
from stub_platform import ALICE, Issuer
from stub_services import Seen, replies
from stub_services import problem as stub_problem

pytestmark = pytest.mark.anyio
JWKS = ("GET", "/.well-known/jwks.json")


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def key_reads(platform: Any) -> int:
    return len(platform.users.to(JWKS[1]))


async def test_request_without_a_token_is_unauthenticated(platform: Any, alice: Any) -> None:
    async with platform.client(None) as nobody:
        answer = await nobody.get("/v1/bots")
    assert answer.headers["www-authenticate"] == "Bearer"
    problem(answer, 401, "unauthenticated")
    assert platform.bots.routed == []


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"iss": "somebody"},
        {"aud": "somebody"},
        {"iat": None},
        {"nbf": int(time.time()) + 600},
        {"roles": "admin"},
        {"roles": [1]},
    ],
)
async def test_token_with_claims_that_do_not_hold_is_refused(platform: Any, alice: Any, changes: Any) -> None:
    answer = await alice.get("/v1/bots", headers=bearer(platform.issuer.token(**changes)))
    problem(answer, 401, "unauthenticated")


async def test_tokens_of_a_foreign_issuer_or_another_algorithm_are_refused(platform: Any, alice: Any) -> None:
    claims = {"iss": "omnitrade", "aud": "omnitrade", "sub": ALICE, "roles": ["admin"], "iat": 1, "exp": 2**33}
    good = platform.issuer.token()
    head, payload, signature = good.split(".")
    bad = [
        Issuer("first").token(),
        Issuer("other").token(),
        jwt.encode(claims, "x" * 64, algorithm="HS256", headers={"kid": "first"}),
        jwt.encode(claims, "", algorithm="none", headers={"kid": "first"}),
        f"{head}.{payload}.{signature[:-4]}AAAA",
        f"{head}.{payload}.",
        "omk_abc",
        "x",
        "x" * 20_000,
    ]
    for token in bad:
        problem(await alice.get("/v1/bots", headers=bearer(token)), 401, "unauthenticated")
    assert (await alice.get("/v1/bots", headers=bearer(good))).status_code == 200
    assert len(platform.bots.routed) == 1


@pytest.mark.parametrize("value", ["", "Bearer", "Basic YTpi"])
async def test_authorization_that_is_no_bearer_is_refused(platform: Any, alice: Any, value: str) -> None:
    problem(await alice.get("/v1/bots", headers={"authorization": value}), 401, "unauthenticated")


async def test_two_authorizations_are_refused(platform: Any, alice: Any) -> None:
    token = f"Bearer {platform.token()}"
    async with platform.client(None) as client:
        answer = await client.get("/v1/bots", headers=[("authorization", token), ("authorization", token)])
    problem(answer, 401, "unauthenticated")


async def test_open_operation_needs_no_token_but_refuses_a_bad_one(platform: Any, alice: Any) -> None:
    async with platform.client(None) as nobody:
        assert (await nobody.post("/v1/users", json={"email": "a"})).status_code == 200
        assert platform.users.routed[0].context.caller.id is None
        answer = await nobody.post("/v1/users", json={"email": "a"}, headers=bearer(Issuer().token()))
        problem(answer, 401, "unauthenticated")
        assert (await nobody.get("/.well-known/jwks.json")).json()["keys"]
    await alice.post("/v1/users", json={"email": "a"})
    assert platform.users.routed[-1].context.caller.id == ALICE


async def test_caller_has_the_roles_of_the_token(platform: Any, alice: Any) -> None:
    await alice.get("/v1/bots", headers=bearer(platform.token(ALICE, "admin", "engine")))
    assert platform.bots.routed[0].context.caller.roles == {"admin", "engine"}
    assert platform.bots.routed[0].context.caller.scopes is None


async def test_token_is_verified_once_and_forgotten_when_it_expires(platform: Any, alice: Any) -> None:
    token = platform.issuer.token(exp=int(time.time()) - 1)  # within the leeway for another second
    assert (await alice.get("/v1/bots", headers=bearer(token))).status_code == 200
    await asyncio.sleep(1.6)
    problem(await alice.get("/v1/bots", headers=bearer(token)), 401, "unauthenticated")


async def test_tokens_are_remembered_up_to_a_bound(platform: Any) -> None:
    async with platform.gateway(tokens_kept_max=2) as client:
        for number in range(5):
            token = platform.issuer.token(jti=str(number))
            assert (await client.get("/v1/bots", headers=bearer(token))).status_code == 200
        assert len(platform.app.running.proxy._identity._known) == 2


async def test_rotated_key_is_found_by_its_name(platform: Any, alice: Any) -> None:
    assert (await alice.get("/v1/bots")).status_code == 200
    second = Issuer("second")
    platform.users.answers[JWKS] = replies(200, {"keys": [platform.issuer.jwk, second.jwk]})
    await asyncio.sleep(0.4)
    assert (await alice.get("/v1/bots", headers=bearer(second.token()))).status_code == 200
    assert (await alice.get("/v1/bots")).status_code == 200


async def test_tokens_of_a_withdrawn_key_are_refused_once_the_keys_were_read_again(platform: Any, alice: Any) -> None:
    assert (await alice.get("/v1/bots")).status_code == 200
    second = Issuer("second")
    platform.users.answers[JWKS] = replies(200, {"keys": [second.jwk]})
    await asyncio.sleep(0.4)
    assert (await alice.get("/v1/bots", headers=bearer(second.token()))).status_code == 200
    problem(await alice.get("/v1/bots"), 401, "unauthenticated")


async def test_made_up_keys_do_not_make_the_gateway_read_without_end(platform: Any, alice: Any) -> None:
    await alice.get("/v1/bots")
    before, began = key_reads(platform), time.monotonic()
    for number in range(20):
        answer = await alice.get("/v1/bots", headers=bearer(Issuer(f"made-up-{number}").token()))
        problem(answer, 401, "unauthenticated")
    assert key_reads(platform) - before <= 1 + (time.monotonic() - began) / 0.3


async def test_keys_that_were_never_read_are_no_reason_to_say_that_a_token_is_bad(platform: Any) -> None:
    platform.users.answers[JWKS] = replies(503, stub_problem(503, "unavailable"))
    async with platform.gateway() as client:
        answer = await client.get("/v1/bots")
        assert answer.headers["retry-after"]
        problem(answer, 503, "unavailable")
        platform.users.answers[JWKS] = replies(200, {"keys": [platform.issuer.jwk]})
        await asyncio.sleep(0.4)
        assert (await client.get("/v1/bots")).status_code == 200


@pytest.mark.parametrize("keys", [b"x", {}, {"keys": 5}, {"keys": [{"kty": "RSA"}, {"kty": "OKP", "crv": "Ed25519"}]}])
async def test_key_set_that_is_none_leaves_the_last_one(platform: Any, alice: Any, keys: Any) -> None:
    assert (await alice.get("/v1/bots")).status_code == 200
    platform.users.answers[JWKS] = replies(200, keys)
    await asyncio.sleep(0.4)
    problem(await alice.get("/v1/bots", headers=bearer(Issuer("new").token())), 401, "unauthenticated")
    if not isinstance(keys, dict) or "keys" not in keys or not isinstance(keys["keys"], list):
        assert (await alice.get("/v1/bots")).status_code == 200


async def test_keys_are_asked_for_with_the_gateways_context(platform: Any) -> None:
    asked: list[Seen] = []

    async def keys(seen: Seen, reply: Any) -> None:
        asked.append(seen)
        await reply(200, {"keys": [platform.issuer.jwk]})

    platform.users.answers[JWKS] = keys
    async with platform.gateway() as client:
        assert (await client.get("/v1/bots")).status_code == 200
    assert all(one.context is not None and one.context.caller.id is None for one in asked)
    assert asked
