"""Sign-in and tokens as they travel."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from kit.schemas import ReadModel, WriteModel
from users.schemas.fields import Password, RefreshToken

# A sign-in takes any text as an address: a malformed one belongs to nobody, and gets the answer for an unknown one.
SignInName = Annotated[str, Field(min_length=1, max_length=320)]


class PasswordForm(WriteModel):
    """The OAuth2 password grant (RFC 6749 §4.3.2), sent as a form; `username` is the email."""

    grant_type: Literal["password"] = Field(default="password", alias="grant_type")
    username: SignInName
    password: Password
    scope: Annotated[str, Field(max_length=200)] = ""
    client_id: Annotated[str, Field(max_length=200)] = Field(default="", alias="client_id")
    client_secret: Annotated[str, Field(max_length=200)] = Field(default="", alias="client_secret")


class SignIn(WriteModel):
    """Email and password; the OAuth2 password grant is taken in their place."""

    email: SignInName
    password: Password

    @model_validator(mode="wrap")
    @classmethod
    def _from_grant(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, dict) and "email" not in value and value.keys() & {"username", "grant_type"}:
            grant = PasswordForm.model_validate(value)
            value = {"email": grant.username, "password": grant.password.get_secret_value()}
        return handler(value)


class RefreshRequest(WriteModel):
    """A refresh token, to be traded for new tokens or to be ended."""

    refresh_token: RefreshToken


class TokensOut(ReadModel):
    """An access token for `expiresIn` seconds, and the refresh token that gets the next one, once."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class FormTokensOut(TokensOut):
    """The same tokens for a client of the OAuth2 form, also under the names of RFC 6749 §5.1."""

    oauth2_access_token: str = Field(alias="access_token")
    oauth2_refresh_token: str = Field(alias="refresh_token")
    oauth2_token_type: Literal["Bearer"] = Field(alias="token_type")
    oauth2_expires_in: int = Field(alias="expires_in")

    @classmethod
    def of(cls, tokens: TokensOut) -> Self:
        """The same tokens under both sets of names."""
        ours = tokens.model_dump(by_alias=False)
        return cls(**ours, **{f"oauth2_{name}": value for name, value in ours.items()})


class KeySetOut(ReadModel):
    """The public keys that verify access tokens (RFC 7517)."""

    keys: list[dict[str, Any]]
