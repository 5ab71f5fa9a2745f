"""Exchange accounts: proof of credentials, never the credentials."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from kit.documents import Entity
from kit.references.rules import EntityRules, OwnerField, Roles
from kit.store import index
from users.domain.exchange_accounts import ValidityStatus
from users.references import AccountUserRef


class StoredValidity(BaseModel):
    """What the exchange said when it was asked last."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    status: ValidityStatus
    reason: str | None = None
    permissions: list[str]
    checked_at: datetime


class ExchangeAccount(Entity):
    """`api_key_hash` is keyed, so that a key is found again; `api_secret_hash` is argon2id. `is_erased`: nothing of
    the credentials is left."""

    rules = EntityRules(
        key="accountId",
        referable_by=(OwnerField("userId"), Roles("treasury", "admin")),
        exposes=("userId", "exchangeName"),
        conditions=("isValid",),
    )

    user_id: AccountUserRef
    exchange_name: str
    account_nickname: str | None = None
    api_key_hash: str
    api_secret_hash: str
    key_hint: str
    is_valid: bool
    validity: StoredValidity
    last_action_id: str | None = None
    is_erased: bool | None = None

    class Settings:
        name = "exchange_accounts"
        indexes = (index("exchangeName", "apiKeyHash", unique=True), index("userId", "createdAt"))
