"""What stands in the place of what an erase wiped."""

import re

import pytest

from users.domain.emails import normalise_email
from users.domain.erasure import erased_email, erased_key
from users.domain.exchange_accounts import key_digest

ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_no_sign_up_can_take_an_erased_email() -> None:
    with pytest.raises(ValueError, match="name@domain"):
        normalise_email(erased_email(ID))


def test_no_key_has_the_digest_of_an_erased_one() -> None:
    assert re.fullmatch("[0-9a-f]{64}", key_digest("any key", b"pepper"))
    assert not re.fullmatch("[0-9a-f]{64}", erased_key(ID))


def test_erased_values_are_told_apart_by_their_ids() -> None:
    assert len({erased_email(ID), erased_email(ID[::-1]), erased_key("a"), erased_key("b")}) == 4
