import pytest

from kit.preconditions import check_if_match, etag, parse_if_match
from kit.problems import InvalidRequest, VersionMismatch


def test_tag_of_a_version_is_read_back() -> None:
    assert parse_if_match(etag(17)) == 17
    assert parse_if_match(f"  {etag(17)} ") == 17


@pytest.mark.parametrize("header", [None, "*", " * "])
def test_no_header_and_a_star_ask_for_no_version(header: str | None) -> None:
    assert parse_if_match(header) is None


@pytest.mark.parametrize(
    "header", ['"abc"', 'W/"3"', '"-3"', '"3.0"', '"' + "9" * 40 + '"', '"٣"'.encode().decode("latin-1"), '""']
)
def test_tag_that_no_version_has_never_matches(header: str) -> None:
    with pytest.raises((VersionMismatch, InvalidRequest)):
        parse_if_match(header)


@pytest.mark.parametrize("header", ["3", "", '"3', '"1", "2"', '"a b'])
def test_what_is_no_entity_tag_is_a_bad_request(header: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_if_match(header)
    assert caught.value.errors[0].pointer == "/If-Match"


def test_change_is_refused_only_for_another_version() -> None:
    check_if_match(None, 4)
    check_if_match(4, 4)
    with pytest.raises(VersionMismatch):
        check_if_match(3, 4)
