"""Field types that several schemas share."""

from collections.abc import Callable
from typing import Annotated, Any, LiteralString

from pydantic import AfterValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from kit.schemas import text
from users.domain.emails import EMAIL_LENGTH_MAX, normalise_email
from users.domain.exchange_accounts import (
    API_KEY_LENGTH_MAX,
    API_KEY_LENGTH_MIN,
    API_SECRET_LENGTH_MAX,
    API_SECRET_LENGTH_MIN,
    checked_api_key,
    checked_api_secret,
    normalise_exchange_name,
)
from users.domain.passwords import PASSWORD_LENGTH_MAX, prepare_password
from users.domain.roles import Role, in_order


def _apply(rule: Callable[[str], str], code: LiteralString, value: str) -> str:
    try:
        return rule(value)
    except ValueError as fault:
        reason = str(fault)
        raise PydanticCustomError(code, "{reason}", {"reason": reason[:1].upper() + reason[1:]}) from None


def checked(rule: Callable[[str], str], code: LiteralString) -> AfterValidator:
    """A domain rule as a validator: its ValueError becomes a field error with this code."""
    return AfterValidator(lambda value: _apply(rule, code, value))


def checked_secret(rule: Callable[[str], str], code: LiteralString) -> AfterValidator:
    """As `checked`, for a value that must not show up in logs."""
    return AfterValidator(lambda value: SecretStr(_apply(rule, code, value.get_secret_value())))


def absent() -> Any:
    """The default of a patch field, which is never read: what a patch leaves out isn't among its set fields."""
    return None


WRITE_ONLY = {"writeOnly": True}

Email = Annotated[
    str,
    Field(max_length=EMAIL_LENGTH_MAX + 2, json_schema_extra={"format": "email"}),
    checked(normalise_email, "invalid_email"),
]
DisplayName = Annotated[str, text(80)]
Nickname = Annotated[str, text(64)]
Reason = Annotated[str, text(500, multiline=True)]
ExchangeName = Annotated[str, Field(max_length=34), checked(normalise_exchange_name, "invalid_exchange_name")]
Password = Annotated[
    SecretStr,
    Field(min_length=1, max_length=PASSWORD_LENGTH_MAX, json_schema_extra=WRITE_ONLY),
    checked_secret(prepare_password, "invalid_password"),
]
ApiKey = Annotated[
    SecretStr,
    Field(min_length=API_KEY_LENGTH_MIN, max_length=API_KEY_LENGTH_MAX, json_schema_extra=WRITE_ONLY),
    checked_secret(checked_api_key, "invalid_api_key"),
]
ApiSecret = Annotated[
    SecretStr,
    Field(min_length=API_SECRET_LENGTH_MIN, max_length=API_SECRET_LENGTH_MAX, json_schema_extra=WRITE_ONLY),
    checked_secret(checked_api_secret, "invalid_api_secret"),
]
RefreshToken = Annotated[SecretStr, Field(min_length=1, max_length=200, json_schema_extra=WRITE_ONLY)]
Roles = Annotated[list[Role], Field(min_length=1, max_length=len(Role)), AfterValidator(in_order)]
