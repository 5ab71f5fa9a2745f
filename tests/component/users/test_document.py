"""What the service says of itself in its OpenAPI document."""

from pathlib import Path
from typing import Any

import pytest
from mock_store import mock_client
from users_service import users_settings

from users.app import create_app

PUBLIC = {"signUp", "signIn", "refreshTokens", "signOut", "getKeySet"}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("data")
    return create_app(users_settings(folder), client=mock_client()).openapi()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if path.startswith(("/v1", "/.well-known"))
    }


def test_only_sign_up_tokens_and_keys_need_no_token(document: dict[str, Any]) -> None:
    assert {name for name, one in operations(document).items() if one.get("security") == []} == PUBLIC


def test_form_of_the_password_grant_is_described_by_its_own_names(document: dict[str, Any]) -> None:
    content = operations(document)["signIn"]["requestBody"]["content"]
    assert set(content["application/x-www-form-urlencoded"]["schema"]["properties"]) >= {"grant_type", "username"}
    assert set(document["components"]["schemas"]["SignIn"]["properties"]) == {"email", "password"}
    assert set(content) == {"application/json", "application/x-www-form-urlencoded"}


def test_tokens_take_no_idempotency_key_since_they_are_never_replayed(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        taken = any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", []))
        creates = name in {
            "signUp",
            "linkExchangeAccount",
            "suspendUser",
            "reactivateUser",
            "eraseUser",
        } or name.startswith(("verify", "rotate"))
        assert taken is creates, name


def test_nothing_that_is_read_has_a_secret(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    shown = {name: set(schema.get("properties", {})) for name, schema in schemas.items() if name.endswith("Out")}
    assert shown["UserOut"]
    for name in ("UserOut", "ExchangeAccountOut", "ValidityOut"):
        for hidden in ("password", "hash", "secret", "apikey", "epoch", "token"):
            assert not any(hidden in field.lower() for field in shown[name]), name


def test_owner_of_an_account_is_a_reference_filled_in_by_the_gateway(document: dict[str, Any]) -> None:
    choices = document["components"]["schemas"]["ExchangeAccountLink"]["properties"]["userId"]["anyOf"]
    assert choices[0]["x-reference"] == {
        "relationship": "exchange_accounts.userId",
        "parent": "users",
        "onDelete": "CASCADE",
        "default": "caller",
    }
