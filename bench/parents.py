"""Users with an exchange account each, in bulk: written to the users service's own database, by its own code."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.stage import Stage
from kit.clock import SystemClock
from kit.ids import new_id
from kit.problems import Problem
from kit.references.guarded import References
from kit.store import Store, StoreClient
from kit.store.codec import to_row
from users.app import DOCUMENTS
from users.documents.exchange_accounts import ExchangeAccount, StoredValidity
from users.documents.users import User
from users.domain.exchange_accounts import ValidityStatus
from users.domain.life_cycle import Status
from users.domain.roles import Role

BATCH = 500
PREFIX = "bench"


@asynccontextmanager
async def database(stage: Stage, service: str) -> AsyncIterator[Store]:
    """A service's database."""
    client = await StoreClient.connect(stage.store_url)
    try:
        yield client.database(f"{PREFIX}_{service}")
    finally:
        await client.close()


async def make(stage: Stage, count: int) -> list[tuple[str, str]]:
    """(userId, accountId) of each."""
    async with database(stage, "users") as store:
        return await make_in(store, count)


async def make_in(store: Store, count: int) -> list[tuple[str, str]]:
    """The same in the users service's database of any platform."""
    made: list[tuple[str, str]] = []
    references = References(store, DOCUMENTS, clock=SystemClock(), service="users")
    await references.start()
    while len(made) < count:
        made += await _make_batch(store, references, min(BATCH, count - len(made)))
    await references.stop()
    return made


async def _make_batch(store: Store, references: References, size: int) -> list[tuple[str, str]]:
    users = [_user() for _ in range(size)]
    await store.rows(User.collection_name()).insert_many([to_row(user) for user in users])
    accounts = [_account(user.id) for user in users]
    refused = [one for one in await references.create_many(accounts) if isinstance(one, Problem)]
    if refused:
        raise RuntimeError(f"{len(refused)} accounts were refused, the first with {refused[0].code}")
    return [(account.user_id, account.id) for account in accounts]


def _user() -> User:
    now = SystemClock().now()
    return User(
        id=new_id(),
        email=f"{secrets.token_hex(8)}@omnitrade.example",
        display_name="Bench",
        password_hash="none",  # noqa: S106 - nobody signs in as this user
        roles=[Role.USER],
        status=Status.ACTIVE,
        created_at=now,
        updated_at=now,
    )


def _account(user_id: str) -> ExchangeAccount:
    now = SystemClock().now()
    return ExchangeAccount(
        id=new_id(),
        user_id=user_id,
        exchange_name="binance",
        api_key_hash=secrets.token_hex(32),
        api_secret_hash="none",  # noqa: S106 - nothing is verified against it
        key_hint="none",
        is_valid=False,
        validity=StoredValidity(status=ValidityStatus.UNKNOWN, permissions=[], checked_at=now),
        created_at=now,
        updated_at=now,
    )
