"""What an exchange says of credentials decides whether an account is valid."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from users_service import UsersService, credentials

from users.domain.exchange_accounts import Validity, ValidityStatus

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 15, 27, 18, tzinfo=UTC)


@dataclass
class TalkingExchange:
    """A verifier that answers what it is told to, and remembers what it was asked."""

    status: ValidityStatus = ValidityStatus.VALID
    reason: str | None = None
    permissions: tuple[str, ...] = ("read", "trade")
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    async def verify(self, *, exchange_name: str, api_key: str, api_secret: str) -> Validity:
        self.asked.append((exchange_name, api_key, api_secret))
        return Validity(status=self.status, reason=self.reason, permissions=self.permissions, checked_at=NOW)


@pytest.fixture
def exchange(service: UsersService) -> TalkingExchange:
    exchange = TalkingExchange()
    app = service.gateway.app
    app.state.tools = replace(app.state.tools, verifier=exchange)
    return exchange


async def test_accepted_credentials_make_the_account_valid(service: UsersService, exchange: TalkingExchange) -> None:
    given = credentials()
    account = await service.linked(await service.sign_up(), **given)
    assert account["isValid"] is True
    assert account["validity"] == {
        "status": "valid",
        "reason": None,
        "permissions": ["read", "trade"],
        "checkedAt": "2026-11-23T15:27:18.000Z",
    }
    assert exchange.asked == [("binance", given["apiKey"], given["apiSecret"])]


async def test_permission_to_withdraw_gives_a_warning(service: UsersService, exchange: TalkingExchange) -> None:
    exchange.permissions = ("read", "trade", "withdraw")
    assert (await service.linked(await service.sign_up()))["warnings"] == ["withdraw-permission"]


async def test_account_follows_what_the_exchange_says_next(service: UsersService, exchange: TalkingExchange) -> None:
    owner, given = await service.sign_up(), credentials()
    path = f"/v1/exchange-accounts/{(await service.linked(owner, **given))['accountId']}"
    exchange.status, exchange.reason = ValidityStatus.INVALID, "key-revoked"
    refused = (await owner.client.post(f"{path}/verify", json=given)).json()
    assert (refused["isValid"], refused["validity"]["reason"]) == (False, "key-revoked")
    exchange.status, exchange.reason = ValidityStatus.VALID, None
    rotated = (await owner.client.post(f"{path}/rotate", json=credentials())).json()
    assert (rotated["isValid"], rotated["validity"]["reason"]) == (True, None)
    listed = (await owner.client.get("/v1/exchange-accounts?isValid=true")).json()
    assert [item["accountId"] for item in listed["items"]] == [rotated["accountId"]]


async def test_other_credentials_are_not_shown_to_the_exchange(
    service: UsersService, exchange: TalkingExchange
) -> None:
    owner = await service.sign_up()
    account = await service.linked(owner)
    exchange.asked.clear()
    await owner.client.post(f"/v1/exchange-accounts/{account['accountId']}/verify", json=credentials())
    assert exchange.asked == []
