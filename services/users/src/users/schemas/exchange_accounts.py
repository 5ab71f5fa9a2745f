"""Exchange accounts as they travel."""

from pydantic import Field

from kit.schemas import ReadModel, Timestamp, WriteModel
from users.domain.exchange_accounts import ValidityStatus
from users.references import AccountUserRef
from users.schemas.fields import ApiKey, ApiSecret, ExchangeName, Nickname, absent


class ExchangeAccountLink(WriteModel):
    """An account at an exchange, with the credentials that prove it."""

    user_id: AccountUserRef | None = None
    exchange_name: ExchangeName
    api_key: ApiKey
    api_secret: ApiSecret
    account_nickname: Nickname | None = None


class ExchangeAccountPatch(WriteModel):
    """What an owner may change. The exchange stays; credentials are rotated."""

    account_nickname: Nickname | None = Field(default_factory=absent)


class Credentials(WriteModel):
    """Key and secret, at hand for this request only."""

    api_key: ApiKey
    api_secret: ApiSecret


class ValidityOut(ReadModel):
    """What the exchange said when it was asked last."""

    status: ValidityStatus
    reason: str | None
    permissions: list[str]
    checked_at: Timestamp


class ExchangeAccountOut(ReadModel):
    """A linked account, without its credentials."""

    account_id: str
    user_id: str
    exchange_name: str
    account_nickname: str | None
    key_hint: str
    is_valid: bool
    validity: ValidityOut
    warnings: list[str]
    created_at: Timestamp
    updated_at: Timestamp
    version: int
