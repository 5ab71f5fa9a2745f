"""The users service as one ASGI app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog
import typer
from fastapi import FastAPI

from kit.clock import Clock
from kit.runtime import Runtime
from kit.service import build_service
from kit.store import StoreClient
from users.adapters.access_tokens import AccessTokens
from users.adapters.credential_verifier import NoVerifier
from users.adapters.secret_hashing import HashingCost, SecretHasher
from users.adapters.tools import Tools
from users.documents.exchange_accounts import ExchangeAccount
from users.documents.refresh_tokens import RefreshToken
from users.documents.users import User
from users.domain.sessions import SessionLimits
from users.operations.deletes import plan_delete_account, plan_delete_user
from users.operations.first_admin import FirstAdmin, Outcome, ensure_first_admin
from users.routes import exchange_accounts, tokens, users
from users.settings import UsersSettings, load
from users.workers.expired_sessions import expired_sessions
from users.workers.unfinished_erasures import unfinished_erasures

DOCUMENTS = (User, ExchangeAccount, RefreshToken)
DESCRIPTION = "Who uses OmniTrade: accounts, tokens, and the exchange accounts that bots trade with."
TAGS = (
    {"name": "users", "description": "Accounts, their roles and their life cycle."},
    {"name": "tokens", "description": "Signing in and staying signed in."},
    {"name": "exchange accounts", "description": "Accounts at exchanges, linked by credentials that are never kept."},
)

_log = structlog.get_logger("users")


def create_app(settings: UsersSettings, *, client: StoreClient | None = None, clock: Clock | None = None) -> FastAPI:
    """The app; nothing is opened before its lifespan starts."""

    @asynccontextmanager
    async def on_start(app: FastAPI, runtime: Runtime) -> AsyncIterator[None]:
        tools = make_tools(settings, runtime.clock)
        app.state.tools = tools
        try:
            _report(await ensure_first_admin(runtime, tools, settings))
            yield
        finally:
            tools.hasher.close()

    return build_service(
        name="users",
        version=version("omnitrade-users"),
        settings=settings,
        documents=DOCUMENTS,
        routers=(users.router, tokens.router, exchange_accounts.router),
        client=client,
        clock=clock,
        deleters={"deleteUser": plan_delete_user, "deleteExchangeAccount": plan_delete_account},
        workers=lambda runtime: [
            expired_sessions(runtime, interval_s=settings.sessions_sweep_interval_s),
            unfinished_erasures(runtime, interval_s=settings.erasures_sweep_interval_s),
        ],
        on_start=on_start,
        description=DESCRIPTION,
        tags=TAGS,
    )


def make() -> FastAPI:
    """The app of this process's environment."""
    return create_app(load())


def make_tools(settings: UsersSettings, clock: Clock) -> Tools:
    """The outside world as operations see it."""
    cost = HashingCost(
        memory_kib=settings.argon2_memory_kib,
        iterations=settings.argon2_iterations,
        lanes=settings.argon2_lanes,
        running_max=settings.argon2_running_max,
        waiting_max=settings.argon2_waiting_max,
    )
    limits = SessionLimits(
        idle_days_max=settings.refresh_idle_days_max,
        age_days_max=settings.refresh_age_days_max,
        per_user_max=settings.sessions_per_user_max,
    )
    return Tools(
        hasher=SecretHasher(cost),
        access_tokens=AccessTokens(settings.signing_seeds),
        verifier=NoVerifier(clock),
        key_pepper=settings.exchange_key_pepper.get_secret_value().encode(),
        session_limits=limits,
    )


def _report(first: FirstAdmin) -> None:
    """A password that was made here is shown once, to whoever started the service, and goes into no log."""
    if first.password is not None:
        typer.echo(f"first admin {first.email}: password {first.password}", err=True)
    if first.outcome is Outcome.NO_PASSWORD:
        _log.warning("no admin", reason="set ADMIN_PASSWORD to have the first one made")
    elif first.outcome is Outcome.EMAIL_TAKEN:
        _log.error("no admin", reason="somebody else signed up with ADMIN_EMAIL; set another one")
    elif first.outcome is Outcome.MADE:
        _log.info("first admin made", email=first.email)
