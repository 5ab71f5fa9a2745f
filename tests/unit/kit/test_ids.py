import pytest
from pydantic import TypeAdapter, ValidationError

from kit.ids import Id, is_id, new_id

_IDS = TypeAdapter(Id)


def test_new_ids_are_ids_and_in_the_order_of_their_making() -> None:
    made = [new_id() for _ in range(1000)]
    assert all(is_id(one) for one in made)
    assert len(set(made)) == 1000
    assert made == sorted(made)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "not-an-id",
        "0190b6a0-0000-4000-8000-000000000000",  # version 4
        "0190b6a0-0000-7000-c000-000000000000",  # another variant
        "0190B6A0-0000-7000-8000-000000000000",
        "0190b6a000007000800000000000000",
        "0190b6a0-0000-7000-8000-000000000000\n",
        " 0190b6a0-0000-7000-8000-000000000000",
        "0190b6a0-0000-7000-8000-00000000000\u0660",
        7,
        None,
    ],
)
def test_what_is_no_lower_case_uuid_of_version_7_is_no_id(wrong: object) -> None:
    assert not is_id(wrong)
    with pytest.raises(ValidationError):
        _IDS.validate_python(wrong)
