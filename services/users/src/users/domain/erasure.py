"""What stands in the place of what an erase wiped: values that nobody can type, unique where they must be."""

PREFIX = "erased:"
NO_HASH = "!"  # no password and no secret has it
ACCOUNT_REASON = "erased"


def erased_email(user_id: str) -> str:
    """Without an @, so that no sign-up can take it."""
    return PREFIX + user_id


def erased_key(account_id: str) -> str:
    """In the place of a key's digest, which is hexadecimal: the key itself may be linked again."""
    return PREFIX + account_id
