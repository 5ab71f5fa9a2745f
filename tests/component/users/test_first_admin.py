"""The first admin comes from the environment, once."""

from pathlib import Path

import pytest
from api import problem
from gateway_stand_in import GatewayStandIn
from mock_store import mock_client
from users_service import ADMIN_PASSWORD, UNKNOWN_ID, users_service, users_settings

from kit.store import StoreClient
from users.app import create_app
from users.documents.users import User

pytestmark = pytest.mark.anyio


async def token_status(service_folder: Path, client: StoreClient, email: str, password: str, **settings: object) -> int:
    made = users_settings(service_folder, **settings)
    async with GatewayStandIn(create_app(made, client=client), "users", made.gateway_key_list[0]) as gateway:
        answer = await gateway.anonymous().post("/v1/auth/token", json={"email": email, "password": password})
        return answer.status_code


async def test_first_admin_signs_in_with_what_the_environment_says(tmp_path: Path) -> None:
    async with users_service(tmp_path) as service:
        assert service.admin.user["roles"] == ["user", "admin"]
        await service.sign_in(service.admin)


async def test_later_start_with_another_password_changes_nothing(tmp_path: Path) -> None:
    client = mock_client()
    async with users_service(tmp_path, client=client) as service:
        email = service.admin.email
    later = {"admin_password": "quite another password"}
    assert await token_status(tmp_path, client, email, ADMIN_PASSWORD, **later) == 200
    assert await token_status(tmp_path, client, email, "quite another password", **later) == 401


async def test_password_is_made_once_in_development_and_shown_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = mock_client()
    file = tmp_path / "secrets" / "ADMIN_PASSWORD"
    assert await token_status(tmp_path, client, "nobody@example.com", "x", admin_password=None) == 401
    password = file.read_text().strip()
    assert file.stat().st_mode & 0o777 == 0o600
    assert password in capsys.readouterr().err
    assert await token_status(tmp_path, client, "root@omnitrade.example", password, admin_password=None) == 200
    assert file.read_text().strip() == password
    assert password not in capsys.readouterr().err


async def test_given_password_is_never_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with users_service(tmp_path):
        shown = capsys.readouterr()
    assert ADMIN_PASSWORD not in shown.err + shown.out


async def test_production_without_a_password_starts_without_an_admin(tmp_path: Path) -> None:
    secret = "0123456789abcdef0123456789abcdef0123456789a"
    given = {"gateway_keys": secret, "cursor_key": secret, "jwt_signing_keys": secret, "exchange_key_pepper": secret}
    made = users_settings(tmp_path, environment="production", admin_password=None, **given)
    async with GatewayStandIn(create_app(made, client=mock_client()), "users", secret.encode()) as gateway:
        answer = await gateway.as_(UNKNOWN_ID, ["admin"]).get("/v1/users")
        assert answer.json()["items"] == []


async def test_stranger_who_took_the_email_first_is_not_promoted(tmp_path: Path) -> None:
    client = mock_client()
    async with users_service(tmp_path, client=client) as service:
        await service.runtime.store.collection(User).update({"_id": service.admin.id}, {"$set": {"roles": ["user"]}})
    made = users_settings(tmp_path)
    async with GatewayStandIn(create_app(made, client=client), "users", made.gateway_key_list[0]) as gateway:
        user = await gateway.as_(service.admin.id).get("/v1/users/me")
        assert user.json()["roles"] == ["user"]
        problem(await gateway.as_(service.admin.id).get("/v1/users"), 403, "forbidden")
