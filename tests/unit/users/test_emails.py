"""An address has one form, and what is none is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from users.domain.emails import EMAIL_LENGTH_MAX, normalise_email


@pytest.mark.parametrize(
    ("raw", "normalised"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  Ann.Lee+bots@Example.COM ", "ann.lee+bots@example.com"),
        ("ann@sub.example.co.uk", "ann@sub.example.co.uk"),
        ("ann@Bücher.example", "ann@xn--bcher-kva.example"),
        ("ａnn@example.com\n", "ann@example.com"),
        ("o'neil@example.com", "o'neil@example.com"),
    ],
)
def test_address_gets_its_one_form(raw: str, normalised: str) -> None:
    assert normalise_email(raw) == normalised


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "ann@example",
        "ann@@example.com",
        "ann lee@example.com",
        ".ann@example.com",
        "ann.@example.com",
        "an..n@example.com",
        "ann@-example.com",
        "ann@example-.com",
        "ann@exa_mple.com",
        "ann@.com",
        "ann@example..com",
        "ann@127.0.0.1",
        "ann@[127.0.0.1]",
        '"ann lee"@example.com',
        "аnn@example.com",
        "ann\x00@example.com",
        "a" * 65 + "@example.com",
        "ann@" + "a" * 64 + ".com",
        "ann@" + ".".join(["a" * 60] * 5),
        "ann@\u200d.example",
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(raw: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        normalise_email(raw)


@given(st.text(max_size=300))
def test_normalising_twice_changes_nothing_and_never_fails_otherwise(raw: str) -> None:
    try:
        once = normalise_email(raw)
    except ValueError:
        return
    assert normalise_email(once) == once
    assert once.isascii()
    assert len(once) <= EMAIL_LENGTH_MAX
