import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.problems import InvalidRequest
from kit.strict_json import DEPTH_MAX, loads, pointer_step

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner, max_size=5)
    ),
    max_leaves=20,
)


def refusal(body: bytes | str) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        loads(body if isinstance(body, bytes) else body.encode())
    (error,) = caught.value.errors
    return error.pointer, error.code


@given(_JSON)
def test_every_json_value_is_read_as_any_parser_reads_it(value: Any) -> None:
    assert loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "not json",
        "{",
        "[1,]",
        '{"a":1,}',
        "{'a':1}",
        '{"a" 1}',
        "NaN",
        "[Infinity]",
        "[-Infinity]",
        "1e400",
        '{"a": -1e999}',
        "01",
        "+1",
        ".5",
        "1.",
        "0x10",
        '"\\ud800"',
        '"\\udc00 x"',
        '"\\ud83d\\u0041"',
        '"\t"',
        '"\\x41"',
        "// comment\n1",
        "\ufeff{}",
        "{} {}",
        "true false",
    ],
)
def test_what_is_no_json_is_refused(body: str) -> None:
    assert refusal(body) == ("", "not-json")


@pytest.mark.parametrize("body", [b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', '"x"'.encode("utf-16")])
def test_body_that_is_not_utf_8_is_refused(body: bytes) -> None:
    assert refusal(body) == ("", "not-json")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ('{"a":1,"a":1}', "/a"),
        ('{"a":1,"b":2,"\\u0061":1}', "/a"),
        ('[{"x":{"deep":1,"deep":2}}]', "/deep"),
        ('{"a/b":1,"a/b":2}', "/a~1b"),
    ],
)
def test_key_that_stands_twice_is_refused(body: str, pointer: str) -> None:
    assert refusal(body) == (pointer, "duplicate-key")


@pytest.mark.parametrize(
    ("body", "pointer"), [('"\\u0000"', ""), ('{"a":["x","y\\u0000"]}', "/a/1"), ('{"k\\u0000":1}', "")]
)
def test_nul_in_a_string_is_refused_where_it_is(body: str, pointer: str) -> None:
    assert refusal(body) == (pointer, "bad-character")


def test_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert loads(rb'"\\u0000"') == r"\u0000"


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def test_depth_is_limited() -> None:
    loads(nested(DEPTH_MAX).encode())
    assert refusal(nested(DEPTH_MAX + 1)) == ("", "too-deep")
    assert refusal('{"a":' * 40 + "1" + "}" * 40) == ("", "too-deep")
    assert refusal(nested(100_000))[1] in {"not-json", "too-deep"}


def test_number_with_more_digits_than_a_double_is_no_integer_of_ours() -> None:
    assert loads(b"123456789012345678901234567890") == 1.2345678901234568e29


def test_long_integers_do_not_make_the_search_for_duplicates_slow() -> None:
    assert loads(b"[" + b"1" * 300 + b"]") == [float("1" * 300)]


def test_pointer_steps_are_escaped_and_cut() -> None:
    assert pointer_step("a/b~c") == "/a~1b~0c"
    assert pointer_step(3) == "/3"
    assert len(pointer_step("x" * 10_000)) < 200
