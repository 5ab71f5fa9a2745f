"""Users as they travel."""

from pydantic import Field

from kit.schemas import ReadModel, Timestamp, WriteModel
from users.domain.life_cycle import Status
from users.domain.roles import Role
from users.schemas.fields import DisplayName, Email, Password, Reason, Roles, absent


class SignUp(WriteModel):
    """A new account. Roles are given by an admin later."""

    email: Email
    password: Password
    display_name: DisplayName


class UserPatch(WriteModel):
    """What changes of a user. `roles` is for admins; one's own `email` and `password` need `currentPassword`."""

    display_name: DisplayName = Field(default_factory=absent)
    email: Email = Field(default_factory=absent)
    password: Password = Field(default_factory=absent)
    current_password: Password = Field(default_factory=absent)
    roles: Roles = Field(default_factory=absent)


class StatusChange(WriteModel):
    """Why an account is suspended or reactivated."""

    reason: Reason | None = None


class UserOut(ReadModel):
    """A user, without anything secret. `email` and `displayName` are null once the user is erased."""

    user_id: str
    email: str | None
    display_name: str | None
    roles: list[Role]
    status: Status
    status_reason: str | None
    created_at: Timestamp
    updated_at: Timestamp
    version: int
