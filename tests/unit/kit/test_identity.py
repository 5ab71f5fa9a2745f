import pytest

from kit.identity import ADMIN, ANONYMOUS, ENGINE, TREASURY, USER, Caller
from kit.problems import Forbidden, NotFound, Unauthenticated

_OWNER = "0190b6a0-0000-7000-8000-000000000001"
_OTHER = "0190b6a0-0000-7000-8000-000000000002"


def caller(*roles: str) -> Caller:
    return Caller(_OWNER, frozenset(roles))


def test_admin_includes_treasury_and_nothing_else() -> None:
    assert caller(ADMIN).has(TREASURY)
    assert not caller(ADMIN).has(ENGINE)
    assert not caller(TREASURY).has(ADMIN)


def test_role_is_required_of_who_is_signed_in() -> None:
    caller(USER, ENGINE).require_role(ADMIN, ENGINE)
    with pytest.raises(Forbidden, match="admin or engine"):
        caller(USER).require_role(ADMIN, ENGINE)
    with pytest.raises(Unauthenticated):
        ANONYMOUS.require_role(ADMIN)


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        (caller(USER), True),
        (Caller(_OTHER, frozenset({USER})), False),
        (Caller(_OTHER, frozenset({ENGINE})), False),
        (Caller(_OTHER, frozenset({TREASURY})), True),
        (Caller(_OTHER, frozenset({ADMIN})), True),
        (ANONYMOUS, False),
        (Caller(None, frozenset({ADMIN})), False),
    ],
)
def test_owner_treasury_and_admin_may_act_for_the_owner(who: Caller, allowed: bool) -> None:
    assert who.may_act_for(_OWNER) is allowed


def test_somebody_elses_object_gets_the_answer_for_an_unknown_one() -> None:
    answers = []
    for owner in (_OTHER, None):
        with pytest.raises(NotFound) as caught:
            caller(USER).require_owner(owner, "bot")
        answers.append(caught.value.body(instance="/", request_id="r"))
    assert answers[0] == answers[1]
    caller(USER).require_owner(_OWNER, "bot")
