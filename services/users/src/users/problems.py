"""This service's own refusals, one class per rule."""

from kit.problems import Problem


class LastAdmin(Problem):
    """A change would leave the platform without an active admin."""

    status = 409
    code = "last-admin"
    title = "There must be an active admin"


class UserSuspended(Problem):
    """The credentials are right, but the account may not be used."""

    status = 403
    code = "user-suspended"
    title = "The account is suspended"


class WrongPassword(Problem):
    """A change of one's own credentials came with a wrong current password."""

    status = 403
    code = "wrong-password"
    title = "The current password is wrong"


class CredentialsMismatch(Problem):
    """Credentials to verify are not the ones that the account was linked with."""

    status = 422
    code = "credentials-mismatch"
    title = "These are not the account's credentials"
