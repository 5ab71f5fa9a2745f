"""Users: who may sign in, and with which roles."""

from datetime import datetime

from kit.documents import Entity
from kit.references.rules import EntityRules, Roles, Self
from kit.store import index
from users.domain.life_cycle import Status
from users.domain.roles import Role


class User(Entity):
    """`session_epoch` grows when all sessions end at once; `step_down_token` marks an admin who is about to stop.
    `erasure_open` is true while something of an erased user may still have to be wiped, then absent."""

    rules = EntityRules(key="userId", referable_by=(Self(), Roles("treasury", "admin")), conditions=("status",))

    email: str
    display_name: str
    password_hash: str
    roles: list[Role]
    status: Status
    status_reason: str | None = None
    session_epoch: int = 0
    step_down_token: str | None = None
    last_action_id: str | None = None
    erased_at: datetime | None = None
    erasure_open: bool | None = None

    class Settings:
        name = "users"
        indexes = (index("email", unique=True), index("createdAt"), index("roles", "status"), index("erasureOpen"))
