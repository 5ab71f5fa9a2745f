"""What was sent in confidence is nowhere afterwards: not in the store, not in a log."""

import base64
from pathlib import Path
from typing import Any

import pytest
from mock_store import mock_motor
from users_service import UsersService, credentials, users_service

from kit.store import StoreClient

pytestmark = pytest.mark.anyio


async def everything(motor: Any, service: UsersService) -> str:
    """All rows of all collections as text, the kept answers and digests of idempotency among them."""
    database = motor[service.runtime.store.name]
    names = await database.list_collection_names()
    assert {"users", "idempotency_records"} <= set(names)
    return repr([await database[name].find({}).to_list(1000) for name in names])


async def test_nothing_secret_is_kept_or_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    motor = mock_motor()
    async with users_service(tmp_path, client=StoreClient.from_motor(motor)) as service:
        old, new = credentials(), credentials()
        owner = await service.sign_up()
        body = {"email": "k@example.com", "password": "kept under a key", "displayName": "K"}
        await service.anonymous.post("/v1/users", json=body, idempotency_key="a")
        tokens = await service.sign_in(owner)
        account = await service.linked(owner, **old, idempotency_key="b")
        path = f"/v1/exchange-accounts/{account['accountId']}"
        await owner.client.post(f"{path}/verify", json=old, idempotency_key="c")
        await owner.client.post(f"{path}/rotate", json=new, idempotency_key="d")
        await service.link(owner, **new)
        await service.link(owner, **{**new, "exchangeName": "no such thing"})
        kept = await everything(motor, service)
    logged = "".join(capfd.readouterr())
    token_secret = base64.urlsafe_b64decode(tokens["refreshToken"].removeprefix("omr_") + "==")[16:]
    secrets = [owner.password, body["password"], *old.values(), *new.values(), *tokens.values(), token_secret.hex()]
    for secret in (one for one in secrets if isinstance(one, str) and one != "Bearer"):
        assert secret not in kept
        assert secret not in logged
    assert account["accountId"] in kept
