"""Names of exchanges, the form of credentials, and what a check of them means."""

from datetime import UTC, datetime

import pytest

from users.domain.exchange_accounts import (
    Validity,
    ValidityStatus,
    checked_api_key,
    checked_api_secret,
    key_digest,
    key_hint,
    normalise_exchange_name,
    not_verified,
    warnings,
)

NOW = datetime(2026, 11, 23, 15, 27, 18, tzinfo=UTC)
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("raw", "name"), [("binance", "binance"), (" Binance ", "binance"), ("KRAKEN", "kraken"), ("bit2c", "bit2c")]
)
def test_exchange_name_is_its_ccxt_id(raw: str, name: str) -> None:
    assert normalise_exchange_name(raw) == name


@pytest.mark.parametrize(
    "raw", ["", "b", "1broker", "bin ance", "binance:usdm", "bin-ance", "x" * 33, "bínance", "b\x00nance"]
)
def test_what_is_no_exchange_name_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="ccxt id"):
        normalise_exchange_name(raw)


@pytest.mark.parametrize("raw", ["with blank", "tab\tbed", "new\nline", "nul\x00key", "schlüssel", ""])
def test_key_with_anything_but_printable_ascii_is_refused_without_being_named(raw: str) -> None:
    with pytest.raises(ValueError, match="printable") as caught:
        checked_api_key(raw)
    assert not raw or raw not in str(caught.value)


def test_secret_may_be_a_pem_key_and_loses_only_the_line_ends_around_it() -> None:
    assert checked_api_secret(PEM) == PEM.strip("\n")


@pytest.mark.parametrize("raw", ["", " s3cret", "s3cret ", "s3c\x00ret", "geheimnisß"])
def test_secret_with_control_characters_or_blanks_around_it_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        checked_api_secret(raw)


def test_same_key_is_found_again_only_with_the_same_pepper() -> None:
    assert key_digest("key-12345678", b"pepper") == key_digest("key-12345678", b"pepper")
    assert key_digest("key-12345678", b"pepper") != key_digest("key-12345678", b"salt")
    assert key_digest("key-12345678", b"pepper") != key_digest("key-12345679", b"pepper")
    assert "key-12345678" not in key_digest("key-12345678", b"pepper")


def test_hint_is_the_end_of_the_key() -> None:
    assert key_hint("abcdefghijkl") == "ijkl"


@pytest.mark.parametrize(
    ("status", "is_valid"),
    [(ValidityStatus.VALID, True), (ValidityStatus.INVALID, False), (ValidityStatus.UNKNOWN, False)],
)
def test_only_a_check_that_succeeded_makes_an_account_valid(status: ValidityStatus, is_valid: bool) -> None:
    assert Validity(status=status, reason=None, permissions=(), checked_at=NOW).is_valid is is_valid


def test_without_an_exchange_to_ask_nothing_is_known() -> None:
    assert not_verified(NOW) == Validity(ValidityStatus.UNKNOWN, "not-verified", (), NOW)


def test_permission_to_withdraw_gives_a_warning() -> None:
    assert warnings(["read", "trade"]) == []
    assert warnings(["read", "withdraw"]) == ["withdraw-permission"]
