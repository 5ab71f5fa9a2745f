"""A password is long enough, not among the commonest, and not the address."""

import pytest

from users.domain.passwords import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, password_fault, prepare_password

EMAIL = "ann.lee@example.com"


@pytest.mark.parametrize(
    "password", ["correct horse battery", "x7#kP2qz", "пароль-для-Анны", "a" * 200 + "bcd", "x" * 253 + "abc"]
)
def test_good_password_is_taken(password: str) -> None:
    assert password_fault(password, email=EMAIL) is None


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("x7#kP2q", str(PASSWORD_LENGTH_MIN)),
        ("x7#" * 86, str(PASSWORD_LENGTH_MAX)),
        ("password", "commonest"),
        ("PassWord123", "commonest"),
        (" qwertyuiop ", "commonest"),
        ("aaaaaaaaaaaa", "repeats"),
        ("abababababab", "repeats"),
        ("        ", "repeats"),
        (EMAIL, "email"),
        (EMAIL.upper(), "email"),
        ("ann.lee", str(PASSWORD_LENGTH_MIN)),
    ],
)
def test_bad_password_is_refused_with_what_is_wrong(password: str, says: str) -> None:
    fault = password_fault(password, email=EMAIL)
    assert fault is not None
    assert says in fault


def test_mailbox_name_alone_is_refused() -> None:
    assert password_fault("annabelle", email="annabelle@example.com") is not None


def test_refusal_never_repeats_the_password() -> None:
    for password in ("hunter2", "iloveyou", EMAIL):
        assert password not in (password_fault(password, email=EMAIL) or "")


def test_composed_and_decomposed_letters_are_one_password() -> None:
    assert prepare_password("cafe\u0301 noir") == prepare_password("caf\u00e9 noir")
