"""The first admin, from the environment, once."""

import secrets
from dataclasses import dataclass
from enum import StrEnum

from kit.ids import new_id
from kit.runtime import Runtime
from kit.secrets import development_secret
from kit.store import DuplicateKey
from users.adapters.tools import Tools
from users.documents.users import User
from users.domain.life_cycle import Status
from users.domain.passwords import prepare_password
from users.domain.roles import Role
from users.settings import UsersSettings

PASSWORD_FILE = "ADMIN_PASSWORD"  # noqa: S105 - the name of a file
PASSWORD_BYTES = 18


class Outcome(StrEnum):
    """What became of the first admin at this start."""

    EXISTS = "exists"
    MADE = "made"
    NO_PASSWORD = "no-password"  # noqa: S105 - it says that there is none
    EMAIL_TAKEN = "email-taken"


@dataclass(frozen=True)
class FirstAdmin:
    """`password` is there only if it was made here, for development, and this process used it first."""

    outcome: Outcome
    email: str
    password: str | None = None


async def ensure_first_admin(runtime: Runtime, tools: Tools, settings: UsersSettings) -> FirstAdmin:
    """Make the first admin if there is no admin. Of several replicas that start at once, one does: the email is unique.

    An account that somebody signed up with the admin's email is left as it is: an address proves nothing.
    """
    users = runtime.store.collection(User)
    if await users.exists({"roles": Role.ADMIN.value}):
        return FirstAdmin(Outcome.EXISTS, settings.admin_email)
    password = _password(settings)
    if password is None:
        return FirstAdmin(Outcome.NO_PASSWORD, settings.admin_email)
    now = runtime.clock.now()
    admin = User(
        id=new_id(),
        email=settings.admin_email,
        display_name="Admin",
        password_hash=await tools.hasher.hash(prepare_password(password)),
        roles=[Role.USER, Role.ADMIN],
        status=Status.ACTIVE,
        created_at=now,
        updated_at=now,
    )
    try:
        await runtime.references.create(admin)
    except DuplicateKey:
        made_meanwhile = await users.exists({"email": settings.admin_email, "roles": Role.ADMIN.value})
        return FirstAdmin(Outcome.EXISTS if made_meanwhile else Outcome.EMAIL_TAKEN, settings.admin_email)
    return FirstAdmin(Outcome.MADE, settings.admin_email, None if settings.admin_password else password)


def _password(settings: UsersSettings) -> str | None:
    if settings.admin_password is not None:
        return settings.admin_password.get_secret_value()
    if settings.environment == "production":
        return None
    return development_secret(settings.data_dir, PASSWORD_FILE, lambda: secrets.token_urlsafe(PASSWORD_BYTES))
