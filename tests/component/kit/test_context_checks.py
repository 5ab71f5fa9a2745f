"""A service answers nobody but the gateway, and no write whose references were not validated."""

from pathlib import Path
from typing import Any

import pytest
from gateway_stand_in import Client, GatewayStandIn
from mock_store import mock_client
from notes_service import GATEWAY_KEY, USER, Note, notes_app

from kit.context import HEADER_NAME, body_digest, sign_context
from kit.identity import Caller
from kit.store import StoreClient

pytestmark = pytest.mark.anyio


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": "users"},
        {"issuer": "bots"},
        {"method": "GET"},
        {"path": "/v1/notes?x=1"},
        {"expires_at": 0},
        {"expires_at": 2**40},
    ],
)
async def test_context_of_another_request_is_no_credential(user: Client, changes: dict[str, Any]) -> None:
    answer = await user.post("/v1/notes", json={"title": "a"}, changes=changes)
    assert code(answer) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_context_signed_with_another_key_is_no_credential(gateway: GatewayStandIn) -> None:
    forged = GatewayStandIn(gateway.app, "notes", b"the key of another service, just as long")
    async with forged._client:
        assert code(await forged.as_(USER).get("/v1/notes")) == (401, "unauthenticated")


async def test_context_is_good_for_its_body_only(gateway: GatewayStandIn, client: StoreClient) -> None:
    signed = gateway.build("POST", "/v1/notes", json={"title": "signed"})
    context = gateway.context(signed, Caller(USER, frozenset({"user"})))
    sent = gateway.build("POST", "/v1/notes", json={"title": "another"})
    assert code(await gateway.send(sent, context)) == (428, "references-not-validated")
    assert await client.database("omnitrade_notes").collection(Note).count({}) == 0


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/openapi.json"])
async def test_health_metrics_and_the_document_need_no_context(gateway: GatewayStandIn, path: str) -> None:
    assert (await gateway.bare("GET", path)).status_code == 200


async def test_public_operation_needs_the_gateway_but_no_caller(gateway: GatewayStandIn) -> None:
    body = {"email": "a", "password": "b"}
    assert (await gateway.anonymous().post("/v1/notes/sign-in", json=body)).status_code == 200
    assert code(await gateway.bare("POST", "/v1/notes/sign-in", json=body)) == (401, "unauthenticated")


class TestWriteWithReferences:
    """`createNote` declares references, whose digest is "d1"."""

    @pytest.fixture
    def app(self, tmp_path: Path) -> Any:
        return notes_app(tmp_path, mock_client(), digests={"createNote": "d1", "listNotes": "d1"})

    async def test_it_is_answered_with_validated_references(self, user: Client) -> None:
        assert (await user.post("/v1/notes", json={"title": "a"})).status_code == 201

    async def test_it_is_428_without_a_context(self, gateway: GatewayStandIn) -> None:
        assert code(await gateway.bare("POST", "/v1/notes", json={"title": "a"})) == (428, "references-not-validated")

    async def test_a_read_at_the_same_path_is_401_without_a_context(self, gateway: GatewayStandIn) -> None:
        assert code(await gateway.bare("GET", "/v1/notes")) == (401, "unauthenticated")

    @pytest.mark.parametrize(
        "changes", [{"references_digest": None}, {"references_digest": "d0"}, {"body_sha256": None}, {"expires_at": 0}]
    )
    async def test_it_is_428_for_other_references_than_this_replicas(
        self, user: Client, changes: dict[str, Any]
    ) -> None:
        answer = await user.post("/v1/notes", json={"title": "a"}, changes=changes)
        assert code(answer) == (428, "references-not-validated")

    async def test_it_is_428_for_a_context_in_the_wrong_header(self, gateway: GatewayStandIn) -> None:
        request = gateway.build("POST", "/v1/notes", json={"title": "a"})
        token = sign_context(gateway.context(request, Caller(USER)), GATEWAY_KEY.encode())
        answer = await gateway.bare("POST", "/v1/notes", json={"title": "a"}, headers={"Authorization": token})
        assert HEADER_NAME not in answer.request.headers
        assert code(answer) == (428, "references-not-validated")


async def test_write_is_428_if_only_another_version_declares_its_references(user: Client) -> None:
    """An older replica would write the field as any other."""
    answer = await user.post("/v1/notes/ping", changes={"references_digest": "d1"})
    assert code(answer) == (428, "references-not-validated")


async def test_body_hash_is_checked_wherever_it_is_signed(user: Client) -> None:
    answer = await user.post("/v1/notes/ping", changes={"body_sha256": body_digest(b"other")})
    assert code(answer) == (428, "references-not-validated")
