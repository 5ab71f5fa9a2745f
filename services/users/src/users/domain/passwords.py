"""What a password must be (NIST SP 800-63B §3.1.1.2: length and a block list, no rules of composition)."""

import unicodedata

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 256

# The commonest of at least the least length, in lower case.
_COMMONEST = """
11111111 12341234 12345678 123456789 1234567890 12345678910 123123123 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 00000000
87654321 987654321 9876543210 abc12345 abcd1234 abcdefgh adminadmin administrator asdfasdf asdfghjk asdfghjkl
baseball basketball changeme changeme123 computer corvette dragon123 football iloveyou iloveyou1 internet letmein1
letmein123 liverpool metallica michelle mustang1 omnitrade password password! password1 password12 password123
password1234 passw0rd p@ssw0rd p@ssword pokemon1 princess princess1 q1w2e3r4 qwer1234 qwerty12 qwerty123 qwertyui
qwertyuiop secret123 starwars sunshine superman superman1 test1234 testtest trustno1 welcome1 welcome123 whatever
zaq12wsx zxcvbnm1
"""
_COMMON = frozenset(_COMMONEST.split())


def prepare_password(raw: str) -> str:
    """The form that is hashed: NFKC, so that every keyboard's spelling of the same characters signs in."""
    return unicodedata.normalize("NFKC", raw)


def password_fault(password: str, *, email: str) -> str | None:
    """Why a prepared password is refused for this account, or None if it is good."""
    if len(password) < PASSWORD_LENGTH_MIN:
        return f"a password has at least {PASSWORD_LENGTH_MIN} characters"
    if len(password) > PASSWORD_LENGTH_MAX:
        return f"a password has at most {PASSWORD_LENGTH_MAX} characters"
    reduced = password.casefold().strip()
    if len(set(reduced)) < 3:
        return "this password repeats one or two characters"
    if reduced in _COMMON:
        return "this password is among the commonest ones"
    if reduced in {email, email.partition("@")[0]}:
        return "the password must not be the email address"
    return None
