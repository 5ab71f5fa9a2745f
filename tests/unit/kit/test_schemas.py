from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, Literal

import pytest
from pydantic import TypeAdapter, ValidationError

from kit.schemas import PageOut, ReadModel, Timestamp, WriteModel, text

_TIMES = TypeAdapter(Timestamp)


class Size(WriteModel):
    lot_count: int = 1


class Order(WriteModel):
    user_id: str
    lot_size: int | None = None
    is_open: bool = False
    weight: float = 1.0
    side: Literal["buy", "sell"] = "buy"
    sizes: tuple[Size, ...] = ()
    name: Annotated[str, text(5)] = "x"


class OrderOut(ReadModel):
    user_id: str
    closed_at: Timestamp | None


def kinds(model: type[WriteModel], value: Any) -> set[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    return {("/".join(map(str, error["loc"])), error["type"]) for error in caught.value.errors()}


def test_write_schema_takes_aliases_and_gives_defaults() -> None:
    order = Order.model_validate({"userId": "u", "lotSize": 3, "sizes": [{"lotCount": 2}]})
    assert (order.user_id, order.lot_size, order.sizes[0].lot_count, order.name) == ("u", 3, 2, "x")


def test_write_schema_refuses_snake_case_and_unknown_fields() -> None:
    assert kinds(Order, {"user_id": "u", "extra": 1}) == {
        ("userId", "missing"),
        ("user_id", "extra_forbidden"),
        ("extra", "extra_forbidden"),
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("userId", 1),
        ("userId", True),
        ("userId", None),
        ("lotSize", "1"),
        ("lotSize", True),
        ("lotSize", 1.0),
        ("isOpen", 1),
        ("isOpen", "true"),
        ("weight", "1.5"),
        ("weight", True),
        ("side", "Buy"),
        ("side", 1),
        ("sizes", {}),
        ("sizes", "[]"),
    ],
)
def test_write_schema_takes_jsons_own_types_only(field: str, value: object) -> None:
    assert len(kinds(Order, {"userId": "u", field: value})) == 1


def test_nested_write_schema_is_as_exact() -> None:
    assert kinds(Order, {"userId": "u", "sizes": [{"lotCount": "1"}]}) == {("sizes/0/lotCount", "int_type")}


def test_whole_number_is_good_for_a_float() -> None:
    assert Order.model_validate({"userId": "u", "weight": 2}).weight == 2.0


def test_validation_error_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(ValidationError) as caught:
        Order.model_validate({"userId": {"password": "hunter2"}})
    assert "hunter2" not in str(caught.value)


def test_read_schema_is_made_by_python_names_and_written_by_wire_names() -> None:
    out = PageOut[OrderOut](items=[OrderOut(user_id="u", closed_at=None)], next_cursor=None)
    assert out.model_dump_json() == '{"items":[{"userId":"u","closedAt":null}],"nextCursor":null}'


def test_read_schema_is_made_from_an_object() -> None:
    class Row:
        user_id = "u"
        closed_at = datetime(2026, 1, 1, tzinfo=UTC)

    assert OrderOut.model_validate(Row()).user_id == "u"


def test_read_schema_with_a_default_is_refused_when_it_is_declared() -> None:
    with pytest.raises(TypeError, match=r"Loose.*count"):

        class Loose(ReadModel):
            count: int = 0


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2026-11-23T15:27:18.123Z", datetime(2026, 11, 23, 15, 27, 18, 123000, tzinfo=UTC)),
        ("2026-11-23t15:27:18.123999z", datetime(2026, 11, 23, 15, 27, 18, 123000, tzinfo=UTC)),
        ("2026-11-23T15:27:18+05:30", datetime(2026, 11, 23, 9, 57, 18, tzinfo=UTC)),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2100-12-31T23:59:59Z", datetime(2100, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_timestamp_is_in_utc_and_whole_milliseconds(given: object, moment: datetime) -> None:
    read = _TIMES.validate_python(given)
    assert (read, read.tzinfo) == (moment, UTC)


def test_timestamp_is_written_with_milliseconds() -> None:
    assert _TIMES.dump_json(datetime(2026, 11, 23, 15, 27, 18, 7000, tzinfo=UTC)) == b'"2026-11-23T15:27:18.007Z"'


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("2026-11-23T15:27:18", "no_zone"),
        (datetime(2026, 1, 1), "no_zone"),  # noqa: DTZ001 (what is refused)
        ("1999-12-31T23:59:59Z", "out_of_range"),
        ("9999-12-31T23:59:59Z", "out_of_range"),
        ("9999-12-31T23:59:59-14:00", "out_of_range"),
        ("0001-01-01T00:00:00+14:00", "out_of_range"),
        ("2026-13-01T00:00:00Z", "bad_timestamp"),
        ("2026-02-30T00:00:00Z", "bad_timestamp"),
        ("2026-11-23", "bad_timestamp"),
        ("2026-11-23 15:27:18Z", "bad_timestamp"),
        ("20261123T152718Z", "bad_timestamp"),
        ("2026-W10-1T00:00:00Z", "bad_timestamp"),
        ("yesterday", "bad_timestamp"),
        ("", "bad_timestamp"),
        ("２026-11-23T15:27:18Z", "bad_timestamp"),
        ("2026-11-23T15:27:18Z\n", "bad_timestamp"),
        (1767225600, "wrong_type"),
        (1767225600.5, "wrong_type"),
        (True, "wrong_type"),
        (None, "wrong_type"),
    ],
)
def test_timestamp_refuses_what_is_no_time_with_a_zone_in_range(given: object, kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _TIMES.validate_python(given)
    assert caught.value.errors()[0]["type"] == kind


def check(rule: Any, value: str) -> str:
    adapter: TypeAdapter[str] = TypeAdapter(Annotated[str, rule])
    return adapter.validate_python(value)


def test_text_is_normalised_to_nfc() -> None:
    assert check(text(10), "e\u0301") == "\u00e9"


@pytest.mark.parametrize("value", ["a b", "日本語", "emoji 👩‍👩‍👧", "שלום", "x" * 20])
def test_text_takes_any_script(value: str) -> None:
    assert check(text(20), value) == value


@pytest.mark.parametrize(
    "character",
    [
        "\0",
        "\a",
        "\x1b",
        "\x7f",
        "\x85",
        "\r",
        "\n",
        "\t",
        "\ud800",
        chr(0xDFFF),
        "\u2028",
        "\u202e",
        "\u2066",
        "\uffff",
    ],
)
def test_text_refuses_control_characters_surrogates_and_direction_overrides(character: str) -> None:
    with pytest.raises(ValidationError):
        check(text(20), f"a{character}b")


def test_lines_take_tabs_and_line_feeds_only() -> None:
    assert check(text(20, multiline=True), "a\n\tb") == "a\n\tb"
    with pytest.raises(ValidationError):
        check(text(20, multiline=True), "a\r\nb")


@pytest.mark.parametrize(
    ("value", "kind"), [("", "string_too_short"), ("  \u00a0", "too_short"), ("x" * 6, "string_too_long")]
)
def test_text_has_its_length(value: str, kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        check(text(5), value)
    assert caught.value.errors()[0]["type"] == kind


def test_text_that_grows_when_normalised_is_measured_as_it_is_kept() -> None:
    with pytest.raises(ValidationError) as caught:
        check(text(2), "\u0958\u0958")  # each becomes two characters
    assert caught.value.errors()[0]["type"] == "too_long"


def test_text_may_be_empty_where_its_least_length_is_zero() -> None:
    assert check(text(5, 0), "") == ""


def test_text_and_timestamps_are_described_in_json_schema() -> None:
    properties = Order.model_json_schema()["properties"]
    assert (properties["name"]["minLength"], properties["name"]["maxLength"]) == (1, 5)
    assert _TIMES.json_schema() == {"type": "string", "format": "date-time"}
