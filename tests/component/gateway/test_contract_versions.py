"""Services whose contracts are not the gateway's: older, newer, both at once, or at odds with another's. Each fails
closed, for what is concerned alone, and says what to do."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from api import problem
from stub_documents import body_of, document, entity, model, reference
from stub_platform import ACCOUNT, ADMIN, ALICE, KEYS, STAKE, bots_document
from stub_registry import StubRegistry
from stub_services import Seen, Stub, free_port
from stub_services import problem as stub_problem

pytestmark = pytest.mark.anyio
CREATE = {"exchangeAccountId": ACCOUNT, "marketPair": "BTC/USDT", "name": "grid"}
PATH = "/v1/bots"
BOT_STAKE = reference("trading_bots.stakeId", "user_stakes")


def newer() -> dict[str, Any]:
    """Bots that refer to a stake as well, by a field that was there before."""
    made = bots_document(info={"title": "bots", "version": "2.0.0"})
    made["x-entities"]["trading_bots"]["references"].append(BOT_STAKE["x-reference"])
    schema = made["components"]["schemas"]["BotCreate"]
    schema["properties"]["stakeId"] = BOT_STAKE
    return document("bots", made["x-entities"], without_digests(made["paths"]), made["components"]["schemas"])


def without_digests(paths: dict[str, Any]) -> dict[str, Any]:
    return {
        path: {method: {k: v for k, v in said.items() if k != "x-references-digest"} for method, said in item.items()}
        for path, item in paths.items()
    }


def digest_of(made: dict[str, Any]) -> str:
    digest: str = made["paths"][PATH]["post"]["x-references-digest"]
    return digest


def checking(stub: Stub, written: list[str], version: str) -> None:
    """As kit does: a write whose references are not this version's own is refused before anything is done."""

    async def create(seen: Seen, reply: Any) -> None:
        if seen.context is None or seen.context.references_digest != digest_of(stub.document):
            await reply(428, stub_problem(428, "references-not-validated"))
        else:
            written.append(version)
            await reply(201, {"version": version})

    stub.answers["POST", PATH] = create


@asynccontextmanager
async def replica(made: dict[str, Any]) -> AsyncIterator[Stub]:
    stub = Stub("bots", KEYS["bots"], made, port=free_port())
    await stub.start()
    try:
        yield stub
    finally:
        await stub.stop()


async def test_two_replicas_of_different_versions_take_only_what_was_validated_for_them(
    platform: Any, eventually: Callable[..., Any]
) -> None:
    """A rolling deploy: whichever document the gateway has read, the other version refuses its writes and does none."""
    written: list[str] = []
    checking(platform.bots, written, "old")
    async with replica(newer()) as fresh:
        checking(fresh, written, "new")
        both = f"{platform.bots.url},{fresh.url}"
        async with platform.gateway(services=f"users={platform.users.url} bots={both}") as alice:
            answers = [await alice.post(PATH, json={**CREATE, "stakeId": STAKE}) for _ in range(12)]
            for answer in answers:
                if answer.status_code != 201:
                    problem(answer, 428, "references-not-validated")
            assert len(written) == sum(answer.status_code == 201 for answer in answers)
            await platform.bots.stop()
            written.clear()

            async def deployed() -> bool:
                return bool((await alice.post(PATH, json={**CREATE, "stakeId": STAKE})).status_code == 201)

            await eventually(deployed)
            assert written == ["new"]


@pytest.mark.parametrize("direction", ["newer", "older"])
async def test_service_at_another_version_is_read_anew_after_its_first_refusal(
    platform: Any, eventually: Callable[..., Any], direction: str
) -> None:
    first, second = (bots_document(), newer()) if direction == "newer" else (newer(), bots_document())
    written: list[str] = []
    platform.bots.document = first
    async with platform.gateway(document_interval_s=60) as alice:
        platform.bots.document = second
        checking(platform.bots, written, "second")
        problem(await alice.post(PATH, json=CREATE), 428, "references-not-validated")
        assert written == []

        async def understood() -> bool:
            return bool((await alice.post(PATH, json=CREATE)).status_code == 201)

        await eventually(understood)


async def test_reference_without_consent_costs_its_own_writes_and_no_others(
    platform: Any, eventually: Callable[..., Any]
) -> None:
    registry = StubRegistry(platform.users, [])
    wish = reference("trading_bots.patronId", "users", on_delete="SET_NULL", nullable=True)
    async with platform.gateway() as alice:
        assert (await alice.post(PATH, json=CREATE)).status_code == 200
        platform.users.consents = False
        made = bots_document(info={"title": "bots", "version": "2.0.0"})
        made["x-entities"]["trading_bots"]["references"].append(wish["x-reference"])
        paths = {
            **without_digests(made["paths"]),
            "/v1/patrons": {"post": {"requestBody": body_of(model(patronId=wish))}},
        }
        platform.bots.document = document("bots", made["x-entities"], paths, made["components"]["schemas"])
        for row in registry.rows.values():  # what was registered stays, whatever REFERENCE_CONSENT says later
            platform.users.registered.add((row["relationship"], row["parent"]))

        async def refused() -> bool:
            return bool((await alice.post("/v1/patrons", json={"patronId": ALICE})).status_code == 503)

        await eventually(refused)
        problem(await alice.post("/v1/patrons", json={"patronId": ALICE}), 503, "reference-unverifiable")
        assert (await alice.post(PATH, json=CREATE)).status_code == 200
        async with platform.client(platform.token(ADMIN, "admin")) as admin:
            rows = (await admin.get("/v1/references")).json()["references"]
    (shown,) = (one for one in rows if one["relationship"] == "trading_bots.patronId")
    assert (shown["state"], shown["registrations"][0]["reason"]) == ("refused", "No!")


async def test_rule_of_a_newer_version_reaches_the_owner(platform: Any, eventually: Callable[..., Any]) -> None:
    async with platform.gateway():
        made = bots_document(info={"title": "bots", "version": "2.0.0"})
        for one in made["x-entities"]["user_token_balances"]["references"]:
            one["onDelete"] = "RESTRICT"
        paths = without_digests(made["paths"])
        schema = paths["/v1/balances/{userId}/credits"]["post"]["parameters"][0]["schema"]
        paths["/v1/balances/{userId}/credits"]["post"]["parameters"][0]["schema"] = {
            **schema,
            "x-reference": made["x-entities"]["user_token_balances"]["references"][0],
        }
        platform.bots.document = document("bots", made["x-entities"], paths, made["components"]["schemas"])

        def told() -> set[str]:
            calls = platform.users.to("/internal/references/register")[-1:]
            wishes = [one for call in calls for one in call.json["relationships"]]
            return {one["onDelete"] for one in wishes if one["relationship"] == "user_token_balances.userId"}

        await eventually(lambda: told() == {"RESTRICT"})


async def reason(client: Any, service: str) -> str:
    said: str = (await client.get("/health/ready")).json()["services"][service].get("reason", "")
    return said


async def test_version_that_could_block_a_delete_half_way_is_refused_with_what_to_add(
    platform: Any, eventually: Callable[..., Any]
) -> None:
    """Accounts go with their user: a bot that keeps its account must be decided at the user."""
    async with platform.gateway() as alice:
        before = platform.catalogue
        made = newer()
        made["x-entities"]["trading_bots"]["references"].pop(0)
        create = made["components"]["schemas"]["BotCreate"]["properties"]
        create["userId"] = {"type": "string"}
        platform.bots.document = document(
            "bots", made["x-entities"], without_digests(made["paths"]), made["components"]["schemas"]
        )

        async def refused() -> bool:
            return "Add to trading_bots" in await reason(alice, "bots")

        await eventually(refused)
        said = await reason(alice, "bots")
        assert "trading_bots.exchangeAccountId: RESTRICT to exchange_accounts could block a delete of users" in said
        assert 'Annotated[Id, Reference("users", on_delete=RESTRICT)]' in said
        assert platform.catalogue is before
        assert (await alice.get(PATH)).status_code == 200


async def test_owner_whose_new_version_would_make_others_block_is_the_one_refused(
    platform: Any, eventually: Callable[..., Any]
) -> None:
    """Users would go with their region: nothing of bots says anything of regions."""
    async with platform.gateway() as alice:
        made = platform.users.document
        region = reference("users.regionId", "regions", on_delete="CASCADE")
        entities = {**made["x-entities"], "regions": entity("regionId")}
        entities["users"] = entity("userId", region, exposes=[])
        platform.users.document = document("users", entities, without_digests(made["paths"]))

        async def refused() -> bool:
            return "could block a delete of regions" in await reason(alice, "users")

        await eventually(refused)
        assert await reason(alice, "bots") == ""
        assert (await alice.post(PATH, json=CREATE)).status_code == 200


async def test_members_that_this_gateway_does_not_know_are_left_alone(
    platform: Any, alice: Any, eventually: Callable[..., Any]
) -> None:
    made = newer()
    made["x-later"] = {"anything": True}
    made["x-entities"]["user_stakes"]["weight"] = 3
    platform.bots.document = made
    await eventually(lambda: "x-later" in platform.catalogue.documents["bots"].raw)
    assert await reason(alice, "bots") == ""
