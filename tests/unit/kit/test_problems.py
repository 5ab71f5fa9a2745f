from kit.problems import (
    ERRORS_MAX,
    FieldError,
    IdempotencyRunning,
    IllegalTransition,
    InvalidRequest,
    NotFound,
    Problem,
    Unauthenticated,
    Unavailable,
)


def test_body_is_a_problem_document_of_rfc_9457() -> None:
    error = FieldError("/name", "too-long", "At most 80.")
    body = InvalidRequest("A field is wrong.", errors=[error]).body(instance="/v1/bots", request_id="r1")
    assert body == {
        "type": "urn:omnitrade:problem:invalid-request",
        "title": "The request is not valid",
        "status": 422,
        "code": "invalid-request",
        "detail": "A field is wrong.",
        "instance": "/v1/bots",
        "requestId": "r1",
        "errors": [{"pointer": "/name", "code": "too-long", "detail": "At most 80."}],
    }


def test_title_stands_in_for_a_missing_detail_and_errors_are_left_out_if_there_are_none() -> None:
    body = NotFound().body(instance="/", request_id="r")
    assert body["detail"] == body["title"]
    assert "errors" not in body


def test_extensions_are_camel_case_and_cannot_displace_the_members_of_the_document() -> None:
    problem = IllegalTransition(from_="running", action="archive", allowed=["pause"], status=200, blocked_by=[])
    body = problem.body(instance="/", request_id="r")
    assert (body["from"], body["action"], body["allowed"], body["blockedBy"]) == ("running", "archive", ["pause"], [])
    assert body["status"] == 409


def test_only_the_first_errors_are_listed_and_the_others_counted() -> None:
    errors = [FieldError(f"/{i}", "missing", "") for i in range(ERRORS_MAX + 7)]
    body = InvalidRequest(errors=errors).body(instance="/", request_id="r")
    assert len(body["errors"]) == ERRORS_MAX
    assert body["errorsOmitted"] == 7


def test_what_may_be_tried_again_says_when_and_a_raise_may_say_it_otherwise() -> None:
    assert Unavailable().headers == {"Retry-After": "1"}
    assert IdempotencyRunning(headers={"Retry-After": "5"}).headers == {"Retry-After": "5"}


def test_unauthenticated_tells_the_scheme() -> None:
    assert Unauthenticated("No token.").headers["WWW-Authenticate"] == "Bearer"


def test_a_rule_of_a_service_is_one_subclass() -> None:
    class OutOfFuel(Problem):
        status = 409
        code = "out-of-fuel"
        title = "No fuel is left"

    body = OutOfFuel(litres_left=0).body(instance="/", request_id="r")
    assert (body["type"], body["litresLeft"]) == ("urn:omnitrade:problem:out-of-fuel", 0)


def test_document_begins_with_its_own_members() -> None:
    body = IllegalTransition(from_="running", action="archive", allowed=[]).body(instance="/", request_id="r")
    assert list(body)[:4] == ["type", "title", "status", "code"]
