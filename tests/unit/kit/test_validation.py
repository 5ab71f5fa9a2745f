from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, Field, SecretStr, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from kit.ids import Id
from kit.problems import ERRORS_MAX
from kit.schemas import Timestamp, WriteModel, text
from kit.validation import error_code, invalid_request


def _amount(value: str) -> str:
    raise PydanticCustomError("bad_amount", "Write an amount as a decimal string.")


def _never(value: str) -> str:
    raise ValueError("no value is good enough")


class Money(WriteModel):
    amount: Annotated[str, AfterValidator(_amount)]


class StakeSource(WriteModel):
    kind: Literal["stake"]
    stake_id: Id


class BotSource(WriteModel):
    kind: Literal["bot"]
    bot_id: Id


class Everything(WriteModel):
    name: Annotated[str, text(5)] = "x"
    tags: Annotated[tuple[str, ...], Field(max_length=2)] = ()
    lot_count: Annotated[int, Field(ge=1, le=9)] = 1
    is_open: bool = False
    bot_id: Id | None = None
    mode: Literal["paper", "live"] = "paper"
    at: Timestamp | None = None
    money: Money | None = None
    never: Annotated[str, AfterValidator(_never)] = ""
    source: Annotated[StakeSource | BotSource, Field(discriminator="kind")] | None = None
    either: StakeSource | BotSource | None = None
    label: str | int = ""
    by_name: dict[str, int] | None = None
    secret: Annotated[SecretStr, Field(min_length=4, max_length=6)] = SecretStr("")


_ADAPTER = TypeAdapter(Everything)


def errors_of(body: Any) -> dict[str, str]:
    return {error.pointer: error.code for error in problem_of(body).errors}


def problem_of(body: Any) -> Any:
    with pytest.raises(ValidationError) as caught:
        _ADAPTER.validate_python(body)
    return invalid_request([{**error, "loc": ("body", *error["loc"])} for error in caught.value.errors()], body)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"name": "toolong"}, {"/name": "too-long"}),
        ({"name": ""}, {"/name": "too-short"}),
        ({"name": "a\u0007"}, {"/name": "bad-character"}),
        ({"name": 5}, {"/name": "wrong-type"}),
        ({"tags": ["a", "b", "c"]}, {"/tags": "too-long"}),
        ({"tags": ["a", 1]}, {"/tags/1": "wrong-type"}),
        ({"lotCount": 10}, {"/lotCount": "out-of-range"}),
        ({"lotCount": "1"}, {"/lotCount": "wrong-type"}),
        ({"isOpen": "yes"}, {"/isOpen": "wrong-type"}),
        ({"botId": "x"}, {"/botId": "bad-format"}),
        ({"mode": "pretend"}, {"/mode": "not-allowed"}),
        ({"at": "2026-01-01T00:00:00"}, {"/at": "no-zone"}),
        ({"at": "soon"}, {"/at": "bad-timestamp"}),
        ({"money": {"amount": "x"}}, {"/money/amount": "bad-amount"}),
        ({"money": {}}, {"/money/amount": "missing"}),
        ({"money": []}, {"/money": "wrong-type"}),
        ({"never": "x"}, {"/never": "invalid"}),
        ({"snake_case": 1, "a/b": 2}, {"/snake_case": "unknown-field", "/a~1b": "unknown-field"}),
        ({"source": {"kind": "stake"}}, {"/source/stakeId": "missing"}),
        ({"source": {"kind": "moon"}}, {"/source": "not-allowed"}),
        ({"source": {}}, {"/source": "missing"}),
        (
            {"either": {"kind": "bot", "botId": "x"}},
            {"/either/kind": "not-allowed", "/either/stakeId": "missing", "/either/botId": "bad-format"},
        ),
        ({"label": {}}, {"/label": "wrong-type"}),
        ({"byName": {"a b": "1"}}, {"/byName/a b": "wrong-type"}),
        ([], {"": "wrong-type"}),
    ],
)
def test_error_is_at_its_field_with_a_readable_code(body: Any, errors: dict[str, str]) -> None:
    assert errors_of(body) == errors


def test_query_and_header_parameters_are_named_alone() -> None:
    given = [
        {"type": "less_than_equal", "loc": ("query", "limit"), "msg": "Input should be less than 200", "input": "9"},
        {"type": "missing", "loc": ("header", "X-Thing", "0"), "msg": "Field required", "input": None},
    ]
    found = [(error.pointer, error.code) for error in invalid_request(given).errors]
    assert found == [("/limit", "out-of-range"), ("/X-Thing", "missing")]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "hunter2-hunter2"},
        {"mode": "hunter2"},
        {"source": {"kind": "hunter2"}},
        {"botId": "hunter2"},
        {"at": "hunter2"},
        {"lotCount": "hunter2"},
        {"money": {"amount": "hunter2"}},
        {"label": ["hunter2"]},
    ],
)
def test_value_that_was_sent_is_never_repeated(body: Any) -> None:
    assert "hunter2" not in str(problem_of(body).body(instance="/", request_id="r"))


def test_errors_are_limited_however_many_there_are() -> None:
    body = {f"field{i}": 1 for i in range(10_000)}
    assert len(problem_of(body).errors) <= ERRORS_MAX + 1


def test_long_names_of_unknown_fields_are_cut() -> None:
    (error,) = problem_of({"x" * 100_000: 1}).errors
    assert len(error.pointer) < 200


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("int_parsing", "wrong-type"),
        ("bool_parsing", "wrong-type"),
        ("int_from_float", "wrong-type"),
        ("nine_decimals", "nine-decimals"),
    ],
)
def test_codes_are_stable_names(kind: str, code: str) -> None:
    assert error_code(kind) == code


@pytest.mark.parametrize(("length", "said"), [(3, "at least 4 characters"), (7, "at most 6 characters")])
def test_hidden_text_is_measured_in_characters(length: int, said: str) -> None:
    (error,) = problem_of({"secret": "x" * length}).errors
    assert error.detail == f"The value must have {said}."
