"""A small platform of stubs: users own users and exchange accounts, bots own the rest. Documents as services publish
them."""

import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from stub_documents import ID_SCHEMA, Json, body_of, document, entity, model, reference

ALICE = "01890a5d-ac96-774b-bcce-b302099a8001"
BOB = "01890a5d-ac96-774b-bcce-b302099a8002"
ADMIN = "01890a5d-ac96-774b-bcce-b302099a8003"
ACCOUNT = "01890a5d-ac96-774b-bcce-b302099a8010"
BOBS_ACCOUNT = "01890a5d-ac96-774b-bcce-b302099a8011"
BOT = "01890a5d-ac96-774b-bcce-b302099a8020"
STAKE = "01890a5d-ac96-774b-bcce-b302099a8030"
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8fff"
KEYS = {"users": b"users-key-of-at-least-32-characters-", "bots": b"bots-key-of-at-least-32-characters--"}

NULL = {"type": "null"}
TEXT = {"type": "string"}
PUBLIC: Json = {"security": []}

BOT_USER = reference("trading_bots.userId", "users", on_delete="CASCADE", default="caller")
BOT_ACCOUNT = reference(
    "trading_bots.exchangeAccountId",
    "exchange_accounts",
    match={"userId": "userId"},
    copy={"exchange": "exchangeName"},
)
BOT_PAIR = {
    "type": "string",
    "x-reference": {
        "relationship": "trading_bots.marketPair",
        "parent": "market_pairs",
        "onDelete": "RESTRICT",
        "key": {"exchange": "exchange", "marketPair": "symbol"},
    },
}
BALANCE_USER = reference("user_token_balances.userId", "users", on_delete="CASCADE")
REWARD_USER = reference("reward_logs.userId", "users", via={"stake": "sourceId"})
REWARD_SOURCE = {
    **ID_SCHEMA,
    "x-reference": {
        "relationship": "reward_logs.sourceId",
        "by": "sourceType",
        "parents": {
            "stake": {"parent": "user_stakes", "match": {"userId": "userId"}},
            "account": {"parent": "exchange_accounts", "match": {"userId": "userId"}},
        },
        "onDelete": "RESTRICT",
    },
}
ACCOUNT_USER = reference("exchange_accounts.userId", "users", on_delete="CASCADE", default="caller")


def bot_id_parameter(schema: Json | None = None) -> list[Json]:
    return [{"name": "botId", "in": "path", "required": True, "schema": schema or ID_SCHEMA}]


def users_document(**more: Any) -> Json:
    return document(
        "users",
        {
            "users": entity("userId", exposes=[]),
            "exchange_accounts": entity("accountId", ACCOUNT_USER, exposes=["userId", "exchangeName"]),
        },
        {
            "/v1/users": {"post": {**PUBLIC, "requestBody": body_of(model(email=TEXT))}},
            "/v1/users/me": {"get": {}},
            "/v1/users/{userId}": {"get": {}, "delete": {}},
            "/.well-known/jwks.json": {"get": {**PUBLIC}},
            "/v1/exchange-accounts": {"post": {"requestBody": body_of(model(userId=ACCOUNT_USER, name=TEXT))}},
            "/internal/references/validate": {"post": {}},
            "/metrics": {"get": {}},
        },
        **more,
    )


def bots_entities() -> Json:
    return {
        "trading_bots": entity("botId", BOT_USER, BOT_ACCOUNT, BOT_PAIR, exposes=["userId"]),
        "market_pairs": entity("pairId", composite=["exchange", "symbol"]),
        "user_token_balances": entity("userId", BALANCE_USER),
        "user_stakes": entity("stakeId", exposes=["userId"]),
        "reward_logs": entity("logId", REWARD_USER, REWARD_SOURCE),
    }


def bots_document(**more: Any) -> Json:
    create = model(
        userId={"anyOf": [BOT_USER, NULL]},
        exchangeAccountId=BOT_ACCOUNT,
        exchange=TEXT,
        marketPair=BOT_PAIR,
        name=TEXT,
    )
    reward = model(userId=REWARD_USER, sourceType={"enum": ["stake", "account", "gift"]}, sourceId=REWARD_SOURCE)
    user_parameter = [{"name": "userId", "in": "path", "required": True, "schema": BALANCE_USER}]
    return document(
        "bots",
        bots_entities(),
        {
            "/v1/bots": {
                "get": {"parameters": [{"name": "userId", "in": "query", "schema": ID_SCHEMA}]},
                "post": {"requestBody": body_of({"$ref": "#/components/schemas/BotCreate"})},
            },
            "/v1/bots/bulk": {
                "post": {
                    "requestBody": body_of(
                        model(items={"type": "array", "items": {"$ref": "#/components/schemas/BotCreate"}})
                    )
                }
            },
            "/v1/bots/{botId}": {
                "get": {"parameters": bot_id_parameter()},
                "patch": {
                    "operationId": "change_bot",
                    "x-reference-require": True,
                    "parameters": bot_id_parameter(),
                    "requestBody": body_of(model(exchangeAccountId=BOT_ACCOUNT, name=TEXT)),
                },
            },
            "/v1/bots/{botId}/start": {
                "post": {
                    "operationId": "start_bot",
                    "x-reference-require": True,
                    "parameters": bot_id_parameter(),
                }
            },
            "/v1/bots/{botId}/notes": {"post": {"parameters": bot_id_parameter()}},
            "/v1/import": {"post": {"x-body-bytes-max": 3_000_000}},
            "/v1/balances/{userId}/credits": {
                "post": {"parameters": user_parameter, "requestBody": body_of(model(amount=TEXT))}
            },
            "/v1/rewards": {"post": {"requestBody": body_of(reward)}},
        },
        {"BotCreate": create},
        **more,
    )


class Issuer:
    """The key of the service that issues tokens."""

    def __init__(self, kid: str = "first") -> None:
        self.kid = kid
        self._private = Ed25519PrivateKey.generate()

    @property
    def jwk(self) -> Json:
        public: Json = OKPAlgorithm.to_jwk(self._private.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "use": "sig", "alg": "EdDSA"}

    def token(self, user_id: str = ALICE, roles: Any = ("user",), **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": "omnitrade",
            "aud": "omnitrade",
            "sub": user_id,
            "roles": list(roles) if isinstance(roles, tuple) else roles,
            "iat": now,
            "exp": now + 900,
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self._private, algorithm="EdDSA", headers={"kid": self.kid})
