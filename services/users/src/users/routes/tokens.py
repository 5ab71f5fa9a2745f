"""Sign-in, refresh and sign-out over HTTP, and the keys that verify access tokens."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response

from kit.bodies import FORM
from kit.dependencies import RuntimeDep
from kit.problems import Unauthenticated
from kit.responses import documented
from kit.routing import PUBLIC, TAKES_FORM, WITHOUT_IDEMPOTENCY, KitRoute
from users.operations import sessions
from users.problems import UserSuspended
from users.routes.tools import ToolsDep
from users.schemas.tokens import FormTokensOut, KeySetOut, PasswordForm, RefreshRequest, SignIn, TokensOut

KEYS_MAX_AGE_S = 300
FORM_BODY: dict[str, Any] = {"requestBody": {"content": {FORM: {"schema": PasswordForm.model_json_schema()}}}}

router = APIRouter(route_class=KitRoute, tags=["tokens"])


async def wants_oauth2_names(content_type: Annotated[str, Header(include_in_schema=False)] = "") -> bool:
    """A client that sends the OAuth2 form reads the answer by the names of RFC 6749."""
    return content_type.partition(";")[0].strip().lower() == FORM


def render(issued: sessions.IssuedTokens, response: Response, *, oauth2_names: bool = False) -> TokensOut:
    """Tokens as they travel, which nobody on the way may keep."""
    response.headers["Cache-Control"] = "no-store"
    tokens = TokensOut(
        access_token=issued.access_token,
        refresh_token=issued.refresh_token,
        token_type="Bearer",  # noqa: S106 - the kind of token, not one
        expires_in=issued.expires_in_s,
    )
    return FormTokensOut.of(tokens) if oauth2_names else tokens


@router.post(
    "/v1/auth/token",
    operation_id="signIn",
    response_model=TokensOut | FormTokensOut,
    responses=documented(Unauthenticated, UserSuspended),
    openapi_extra={**PUBLIC, **WITHOUT_IDEMPOTENCY, **TAKES_FORM, **FORM_BODY},
)
async def sign_in(
    *,
    runtime: RuntimeDep,
    tools: ToolsDep,
    body: SignIn,
    oauth2_names: Annotated[bool, Depends(wants_oauth2_names)],
    response: Response,
) -> TokensOut:
    """Trade email and password, as JSON or as the OAuth2 password form, for tokens."""
    issued = await sessions.sign_in(runtime, tools, body.email, body.password.get_secret_value())
    return render(issued, response, oauth2_names=oauth2_names)


@router.post(
    "/v1/auth/refresh",
    operation_id="refreshTokens",
    responses=documented(Unauthenticated, UserSuspended),
    openapi_extra={**PUBLIC, **WITHOUT_IDEMPOTENCY},
)
async def refresh_tokens(
    *, runtime: RuntimeDep, tools: ToolsDep, body: RefreshRequest, response: Response
) -> TokensOut:
    """Trade a refresh token, once, for new tokens."""
    return render(await sessions.refresh(runtime, tools, body.refresh_token.get_secret_value()), response)


@router.post(
    "/v1/auth/logout",
    operation_id="signOut",
    status_code=204,
    openapi_extra={**PUBLIC, **WITHOUT_IDEMPOTENCY},
)
async def sign_out(*, runtime: RuntimeDep, body: RefreshRequest) -> None:
    """End the session of a refresh token. Its access token runs out by itself."""
    await sessions.sign_out(runtime, body.refresh_token.get_secret_value())


@router.get("/.well-known/jwks.json", operation_id="getKeySet", openapi_extra=PUBLIC)
async def get_key_set(*, tools: ToolsDep, response: Response) -> KeySetOut:
    """The public keys of access tokens."""
    response.headers["Cache-Control"] = f"public, max-age={KEYS_MAX_AGE_S}"
    return KeySetOut(keys=tools.access_tokens.jwks()["keys"])
