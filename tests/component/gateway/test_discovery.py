"""Documents of services: read at start and while running; bad ones are refused with a reason and the last good one
stays."""

import asyncio
import copy
from typing import Any

import pytest
from api import problem
from stub_documents import body_of, document, entity, model, reference
from stub_platform import ACCOUNT, ALICE, BOT_USER, bots_document, bots_entities
from stub_services import Stub, replies

pytestmark = pytest.mark.anyio
CREATE = {"exchangeAccountId": ACCOUNT, "marketPair": "BTC/USDT", "name": "grid"}


async def ready(client: Any) -> dict[str, Any]:
    answer = await client.get("/health/ready")
    return {"code": answer.status_code, **answer.json()}


async def reason(client: Any, service: str) -> str:
    said: str = (await ready(client))["services"][service].get("reason", "")
    return said


async def test_gateway_is_ready_when_every_document_is_in(platform: Any, alice: Any) -> None:
    said = await ready(alice)
    assert (said["code"], said["status"]) == (200, "ready")
    assert {name: one["document"] for name, one in said["services"].items()} == {
        "users": "accepted",
        "bots": "accepted",
    }
    assert all("reason" not in one for one in said["services"].values())


async def test_service_that_is_down_at_start_joins_when_it_comes(platform: Any, eventually: Any) -> None:
    await platform.bots.stop()
    async with platform.gateway() as alice:
        said = await ready(alice)
        assert (said["code"], said["status"]) == (503, "not-ready")
        assert said["services"]["bots"]["document"] == "missing"
        assert "no connection" in said["services"]["bots"]["reason"]
        answer = await alice.get("/v1/bots")
        assert answer.headers["retry-after"]
        assert "bots" in problem(answer, 503, "unavailable")["detail"]
        assert (await alice.get("/v1/users/me")).status_code == 200
        await platform.bots.start()
        await eventually(lambda: _is(alice, "ready"))
        assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200


async def _is(client: Any, status: str) -> bool:
    return bool((await ready(client))["status"] == status)


async def test_owner_that_was_never_seen_leaves_its_references_unverifiable(platform: Any, eventually: Any) -> None:
    platform.users.answers["GET", "/openapi.json"] = replies(500)
    async with platform.gateway() as alice:
        await eventually(lambda: platform.catalogue.documents.get("bots"))
        assert (await alice.get("/v1/bots")).status_code == 200
        problem(await alice.post("/v1/bots", json=CREATE), 503, "reference-unverifiable")
        assert [one.method for one in platform.bots.routed] == ["GET"]
        del platform.users.answers["GET", "/openapi.json"]
        await eventually(lambda: platform.catalogue.documents.get("users"))
        assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200


async def test_service_that_stays_away_leaves_the_gateway_degraded(platform: Any, eventually: Any) -> None:
    await platform.bots.stop()
    async with platform.gateway(ready_grace_s=0.2) as alice:
        await eventually(lambda: _is(alice, "degraded"))
        assert (await ready(alice))["code"] == 200


async def test_new_operations_are_routed_when_the_document_has_them(platform: Any, alice: Any, eventually: Any) -> None:
    problem(await alice.get("/v1/fresh"), 404, "not-found")
    platform.bots.document["paths"]["/v1/fresh"] = {"get": {"operationId": "fresh"}}

    async def found() -> bool:
        return bool((await alice.get("/v1/fresh")).status_code == 200)

    await eventually(found)


async def test_document_that_did_not_change_is_not_sent_again(platform: Any, alice: Any, eventually: Any) -> None:
    before = platform.catalogue
    await eventually(lambda: platform.bots.reads.count(304) >= 2)
    assert platform.bots.reads.count(200) == 1
    assert platform.catalogue is before


async def test_document_without_an_etag_is_told_by_its_digest(platform: Any, eventually: Any) -> None:
    platform.bots.etag = False
    async with platform.gateway():
        before = platform.catalogue
        await eventually(lambda: len(platform.bots.reads) >= 4)
        assert platform.catalogue is before


def _broken(change: Any) -> dict[str, Any]:
    made = copy.deepcopy(bots_document())
    change(made)
    return made


def _without_relationship(made: dict[str, Any]) -> None:
    made["components"]["schemas"]["BotCreate"]["properties"]["exchangeAccountId"]["x-reference"].pop("relationship")


def _number_as_id(made: dict[str, Any]) -> None:
    made["components"]["schemas"]["BotCreate"]["properties"]["exchangeAccountId"]["type"] = "integer"


def _unknown_entity(made: dict[str, Any]) -> None:
    made["x-entities"]["trading_bots"]["references"][1]["parent"] = "ghosts"


def _undeclared(made: dict[str, Any]) -> None:
    made["x-entities"]["trading_bots"]["references"].pop(1)


def _hidden(made: dict[str, Any]) -> None:
    schema = made["components"]["schemas"]["BotCreate"]
    schema["patternProperties"] = {"^x": BOT_USER}


def _without_digest(made: dict[str, Any]) -> None:
    del made["paths"]["/v1/bots"]["post"]["x-references-digest"]


def _dangling(made: dict[str, Any]) -> None:
    del made["components"]["schemas"]["BotCreate"]


def _others_entity(made: dict[str, Any]) -> None:
    made["x-entities"]["users"] = entity("userId")


def _others_route(made: dict[str, Any]) -> None:
    made["paths"]["/v1/users/{id}"] = {"patch": {"operationId": "stolen"}}


def _others_name(made: dict[str, Any]) -> None:
    made["x-service"] = "staking"


BAD: list[tuple[Any, str]] = [
    (lambda made: made.pop("x-entities"), "no x-entities"),
    (lambda made: made.pop("paths"), "no paths"),
    (lambda made: made.update(openapi="2.0"), "not OpenAPI 3"),
    (lambda made: made["paths"]["/v1/bots"]["post"].pop("operationId"), "no operationId"),
    (lambda made: made["paths"].update({"/v1/a{b}": {"get": {"operationId": "x"}}}), "variable"),
    (_without_relationship, "no relationship"),
    (_number_as_id, "is not a string"),
    (_unknown_entity, "ghosts, an entity that no service has"),
    (_undeclared, "is no reference in x-entities"),
    (_hidden, "patternProperties"),
    (_without_digest, "x-references-digest"),
    (_dangling, "leads nowhere"),
    (_others_entity, "an entity of users already"),
    (_others_route, "a route of users already"),
    (_others_name, "of the service 'staking'"),
]


@pytest.mark.parametrize(("change", "why"), BAD, ids=[why for _, why in BAD])
async def test_bad_document_is_refused_with_its_reason_and_the_last_good_one_stays(
    platform: Any, alice: Any, eventually: Any, change: Any, why: str
) -> None:
    before = platform.catalogue
    platform.bots.document = _broken(change)

    async def refused() -> str:
        return await reason(alice, "bots")

    assert why in await eventually(refused)
    said = await ready(alice)
    assert (said["status"], said["services"]["bots"]["document"]) == ("ready", "accepted")
    assert platform.catalogue is before
    assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200
    platform.bots.document = bots_document(info={"title": "bots", "version": "0.3.0"})

    async def mended() -> bool:
        return await refused() == ""

    await eventually(mended)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (replies(200, b"<html>"), "not JSON"),
        (replies(404), "answers 404"),
        (replies(200, b"[" * 5000), "not JSON"),
        (replies(200, b"[]"), "not OpenAPI 3"),
        (replies(200, b" " * 9_000_000), "longer than"),
    ],
)
async def test_answer_that_is_no_document_is_refused(
    platform: Any, alice: Any, eventually: Any, answer: Any, why: str
) -> None:
    platform.bots.answers["GET", "/openapi.json"] = answer
    await eventually(lambda: _reason_has(alice, why))
    assert (await alice.get("/v1/bots")).status_code == 200


async def _reason_has(client: Any, why: str) -> bool:
    return why in await reason(client, "bots")


async def test_bad_document_at_start_leaves_the_service_out_and_says_so(platform: Any, eventually: Any) -> None:
    platform.bots.document = _broken(_unknown_entity)
    async with platform.gateway() as alice:
        await eventually(lambda: _reason_has(alice, "ghosts"))
        said = await ready(alice)
        assert (said["status"], said["services"]["bots"]["document"]) == ("not-ready", "refused")
        problem(await alice.get("/v1/bots"), 503, "unavailable")
        assert (await alice.get("/v1/users/me")).status_code == 200


async def test_entity_that_others_refer_to_cannot_be_taken_away(platform: Any, alice: Any, eventually: Any) -> None:
    platform.users.document = document(
        "users", {"users": entity("userId")}, {"/v1/users/me": {"get": {"operationId": "me"}}}
    )

    async def refused() -> bool:
        return "exchange_accounts is gone" in await reason(alice, "users")

    await eventually(refused)
    assert (await alice.post("/v1/bots", json=CREATE)).status_code == 200


async def test_reference_and_its_entity_may_come_in_any_order(platform: Any, alice: Any, eventually: Any) -> None:
    plan = reference("trading_bots.planId", "plans")
    entities = {**bots_entities(), "trading_bots": entity("botId", plan)}
    made = document("bots", entities, {"/v1/plan": {"post": {"requestBody": body_of(model(planId=plan))}}})
    platform.bots.document = made
    await eventually(lambda: _reason_has(alice, "plans"))
    platform.users.document["x-entities"]["plans"] = entity("planId")

    async def accepted() -> bool:
        return await reason(alice, "bots") == ""

    await eventually(accepted)
    platform.users.rows["plans", ALICE] = {}
    assert (await alice.post("/v1/plan", json={"planId": ALICE})).status_code == 200


async def test_document_of_a_service_that_goes_down_stays(platform: Any, alice: Any, eventually: Any) -> None:
    await platform.bots.stop()
    await eventually(lambda: _reason_has(alice, "cannot be read"))
    assert (await ready(alice))["status"] == "ready"


async def test_start_does_not_wait_for_a_service_that_hangs(platform: Any) -> None:
    async def hang(*_: Any) -> None:
        await asyncio.sleep(30)

    platform.bots.answers["GET", "/openapi.json"] = hang
    began = asyncio.get_running_loop().time()
    async with platform.gateway() as alice:
        assert asyncio.get_running_loop().time() - began < 4
        assert (await alice.get("/health/live")).status_code == 200


async def test_two_stubs_are_told_apart_by_their_keys(platform: Any, alice: Any) -> None:
    other: Stub = platform.users
    await alice.get("/v1/bots")
    token = platform.bots.routed[0].header("x-omnitrade-context")
    assert other._context("GET", "/v1/bots", {"x-omnitrade-context": token}) is None
