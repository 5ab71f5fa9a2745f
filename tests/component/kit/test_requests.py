"""What every operation of every service does with a request, before and after its own work."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from gateway_stand_in import Client, GatewayStandIn

from kit.ids import is_id, new_id

pytestmark = pytest.mark.anyio
JSON = {"Content-Type": "application/json"}


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert (document["code"], document["status"]) == (code, status)
    assert document["type"] == f"urn:omnitrade:problem:{code}"
    assert document["requestId"] == answer.headers["x-request-id"]
    assert document["detail"]
    return document


def pointers(document: dict[str, Any]) -> dict[str, str]:
    return {error["pointer"]: error["code"] for error in document["errors"]}


async def test_note_is_made_read_and_changed(user: Client) -> None:
    made = await user.post("/v1/notes", json={"title": "first"})
    assert made.status_code == 201
    assert made.headers["etag"] == '"1"'
    note_id = made.json()["noteId"]
    assert is_id(note_id)
    read = await user.get(f"/v1/notes/{note_id}")
    assert read.json() == made.json()
    changed = await user.patch(f"/v1/notes/{note_id}", json={"title": "second"}, if_match=read.headers["etag"])
    assert (changed.json()["title"], changed.headers["etag"]) == ("second", '"2"')


@pytest.mark.parametrize("if_match", ['"7"', '"abc"', 'W/"1"'])
async def test_change_of_another_version_is_refused(user: Client, if_match: str) -> None:
    note_id = (await user.post("/v1/notes", json={"title": "first"})).json()["noteId"]
    answer = await user.patch(f"/v1/notes/{note_id}", json={"title": "second"}, if_match=if_match)
    problem(answer, 412, "version-mismatch")
    assert (await user.get(f"/v1/notes/{note_id}")).json()["title"] == "first"


async def test_if_match_that_is_no_entity_tag_is_refused_at_its_name(user: Client) -> None:
    answer = await user.patch(f"/v1/notes/{new_id()}", json={"title": "x"}, if_match="1")
    assert pointers(problem(answer, 422, "invalid-request")) == {"/If-Match": "bad-format"}


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("", {"": "missing"}),
        ("null", {"": "wrong-type"}),
        ("not json", {"": "not-json"}),
        ("[]", {"": "wrong-type"}),
        ('"text"', {"": "wrong-type"}),
        ('{"title":"a","title":"a"}', {"/title": "duplicate-key"}),
        ('{"title":NaN}', {"": "not-json"}),
        ('{"title":"a","weight":1e400}', {"": "not-json"}),
        ('{"title":"\\ud800"}', {"": "not-json"}),
        ('{"title":"a\\u0000"}', {"/title": "bad-character"}),
        ('{"title":"a\\u0007"}', {"/title": "bad-character"}),
        ('{"title":"a","weight":1.5}', {"/weight": "wrong-type"}),
        ('{"title":"a","weight":"1"}', {"/weight": "wrong-type"}),
        ('{"title":"a","weight":true}', {"/weight": "wrong-type"}),
        ('{"title":"a","no_such":1}', {"/no_such": "unknown-field"}),
        ('{"body":1}', {"/title": "missing", "/body": "wrong-type"}),
        ("[" * 40 + "]" * 40, {"": "too-deep"}),
    ],
)
async def test_bad_body_is_refused_at_its_place(user: Client, raw: str, found: dict[str, str]) -> None:
    answer = await user.post("/v1/notes", content=raw, headers=JSON)
    assert pointers(problem(answer, 422, "invalid-request")) == found


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset=latin-1"],
)
async def test_body_of_another_media_type_is_refused(user: Client, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    problem(await user.post("/v1/notes", content=b'{"title":"a"}', headers=headers), 415, "unsupported-media-type")


async def test_json_with_its_only_charset_is_taken(user: Client) -> None:
    headers = {"Content-Type": 'Application/JSON; charset="UTF-8"'}
    assert (await user.post("/v1/notes", content=b'{"title":"a"}', headers=headers)).status_code == 201


async def test_body_over_the_limit_is_refused_whether_its_length_is_told_or_not(user: Client) -> None:
    body = json.dumps({"title": "a", "body": "x" * 1024 * 1024}).encode()
    problem(await user.post("/v1/notes", content=body, headers=JSON), 413, "payload-too-large")
    told_less = {**JSON, "Content-Length": "10"}
    problem(await user.post("/v1/notes", content=body, headers=told_less), 413, "payload-too-large")


async def test_operation_may_take_longer_bodies_and_has_a_limit_too(user: Client) -> None:
    entries = {f"note{i}": "x" * 1000 for i in range(2000)}
    assert (await user.post("/v1/notes/import", json=entries)).json() == {"received": 2000}
    answer = await user.post("/v1/notes/import", json={"a": "x" * 5 * 1024 * 1024})
    problem(answer, 413, "payload-too-large")


async def test_operation_without_a_body_takes_none_or_an_empty_object(user: Client) -> None:
    for content in (b"", b"{}", b" { } "):
        assert (await user.post("/v1/notes/ping", content=content, headers=JSON)).status_code == 200
    answer = await user.post("/v1/notes/ping", json={"reason": "x"})
    assert pointers(problem(answer, 422, "invalid-request")) == {"/reason": "unknown-field"}
    problem(await user.post("/v1/notes/ping", json=[1]), 422, "invalid-request")


async def test_form_is_taken_where_it_is_said(gateway: GatewayStandIn, user: Client) -> None:
    form = {"email": "a+b@x.example", "password": "p&=%"}
    answer = await gateway.anonymous().post("/v1/notes/sign-in", data=form)
    assert answer.json() == {"email": "a+b@x.example", "caller": None}
    assert (await user.post("/v1/notes/sign-in", json=form)).json()["email"] == "a+b@x.example"


@pytest.mark.parametrize("raw", ["email", "email=a&email=b", "email=%FF&password=x", "email=%00&password=x", "é=1"])
async def test_malformed_form_is_refused(gateway: GatewayStandIn, raw: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await gateway.anonymous().post("/v1/notes/sign-in", content=raw.encode(), headers=headers)
    problem(answer, 422, "invalid-request")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=100000", "/limit"),
        ("limit=0", "/limit"),
        ("limit=ten", "/limit"),
        ("limit=1.5", "/limit"),
        ("cursor=made-up", "/cursor"),
        ("cursor=" + "A" * 2000, "/cursor"),
        ("sort=passwordHash", "/sort"),
    ],
)
async def test_bad_query_parameter_is_refused_at_its_name(user: Client, query: str, pointer: str) -> None:
    assert pointer in pointers(problem(await user.get(f"/v1/notes?{query}"), 422, "invalid-request"))


@pytest.mark.parametrize("note_id", ["x", "%00", "9" * 500, "0190B6A0-0000-7000-8000-000000000001"])
async def test_path_with_something_that_is_no_id_is_refused(user: Client, note_id: str) -> None:
    document = problem(await user.get(f"/v1/notes/{note_id}"), 422, "invalid-request")
    assert pointers(document).keys() == {"/noteId"}


async def test_unknown_id_and_unknown_path_are_not_found(user: Client) -> None:
    problem(await user.get(f"/v1/notes/{new_id()}"), 404, "not-found")
    problem(await user.get("/v1/nothing"), 404, "not-found")
    problem(await user.get("/v1/notes/"), 404, "not-found")


async def test_other_method_is_refused_with_those_of_all_routes_at_the_path(user: Client) -> None:
    answer = await user.put("/v1/notes")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, POST"


async def test_bug_is_an_internal_error_that_says_nothing(user: Client) -> None:
    answer = await user.post("/v1/notes/broken?title=hunter2")
    problem(answer, 500, "internal-error")
    assert "hunter2" not in answer.text
    assert "ValueError" not in answer.text
    assert "Traceback" not in answer.text


async def test_request_past_its_deadline_is_given_up(user: Client) -> None:
    now_ms = int(user.gateway.app.state.runtime.clock.now().timestamp() * 1000)
    for deadline in (now_ms - 1, now_ms + 50):
        answer = await user.post("/v1/notes/slow", changes={"deadline": deadline})
        problem(answer, 504, "deadline-exceeded")


async def test_request_that_comes_past_its_deadline_is_not_begun(user: Client, app: FastAPI) -> None:
    for key in (None, "k1"):
        answer = await user.post("/v1/notes/refuse/taken", changes={"deadline": 1}, idempotency_key=key)
        problem(answer, 504, "deadline-exceeded")
    assert app.state.hooks.runs == 0


async def test_request_id_is_the_contexts_and_comes_back(user: Client) -> None:
    answer = await user.post("/v1/notes/ping", changes={"request_id": "from-the-gateway"})
    assert answer.headers["x-request-id"] == "from-the-gateway"
    bare = await user.gateway.bare("GET", "/health/live", headers={"X-Request-Id": "probe-1"})
    assert bare.headers["x-request-id"] == "probe-1"


async def test_too_many_requests_at_once_are_turned_away(app: FastAPI, user: Client) -> None:
    app.user_middleware[0].kwargs["requests_max"] = 0
    app.middleware_stack = None
    answer = await user.get("/v1/notes")
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"]
    assert (await user.gateway.bare("GET", "/health/live")).status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("no_such=1", {"/no_such": "unknown-field"}),
        ("Title=a", {"/Title": "unknown-field"}),
        ("title=a&title=b", {"/title": "duplicate-key"}),
        ("title=a&sort=title&sort=title&x", {"/sort": "duplicate-key", "/x": "unknown-field"}),
        ("title=%ff", {"": "not-a-query"}),
        ("&".join(f"x{i}=" for i in range(101)), {"": "not-a-query"}),
    ],
)
async def test_query_that_the_operation_does_not_take_is_refused_at_its_name(
    user: Client, query: str, found: dict[str, str]
) -> None:
    answer = await user.get(f"/v1/notes?{query}")
    assert pointers(problem(answer, 422, "invalid-request")) == found


async def test_query_of_names_that_the_operation_and_its_paging_take_is_taken(user: Client) -> None:
    for query in ("title=a&limit=3&sort=title", "title=%C3%A4"):
        assert (await user.get(f"/v1/notes?{query}")).status_code == 200


async def test_operation_without_a_query_takes_none(user: Client) -> None:
    answer = await user.post("/v1/notes?title=a", json={"title": "a"})
    assert pointers(problem(answer, 422, "invalid-request")) == {"/title": "unknown-field"}
