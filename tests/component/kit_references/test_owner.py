"""The owner's half, called in process."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from mock_store import Faults
from office import NOW, ROOM_ID, Case, Desk, Office, attached, desk

from kit.identity import Caller
from kit.ids import new_id
from kit.problems import Unavailable
from kit.references import registry
from kit.references.declaration import CASCADE, RESTRICT, DeclarationError
from kit.references.owner import KEPT_S, Answer, Question
from kit.references.registry import Application, Consent

pytestmark = pytest.mark.anyio

VISIT = "visits.deskId"


@pytest.fixture
async def stored(office: Office) -> Desk:
    one = desk()
    await office.references.create(one, attached(one))
    assert await office.references.registry.register("shop", [Application(VISIT, "desks", CASCADE)], NOW) == []
    return one


def ask(one: Desk, **options: Any) -> Question:
    given = {"caller": Caller(one.person_id), "id": one.id, **options}
    return Question(given.pop("relationship", VISIT), given.pop("parent", "desks"), **given)


async def answer(office: Office, question: Question) -> Answer:
    (only,) = await office.references.owner.validate([question])
    return only


async def test_parent_is_confirmed_with_its_epoch_and_what_is_copied(office: Office, stored: Desk) -> None:
    await office.store.rows("desks").update_one(
        {"_id": stored.id}, {"$set": {"_parent": {"state": "active", "epoch": 4}}}
    )
    confirmed = await answer(office, ask(stored, copy=("personId",), match={"personId": stored.person_id}))
    assert confirmed == Answer("ok", stored.id, 4, {"personId": stored.person_id})


@pytest.mark.parametrize(
    "options",
    [
        {"id": new_id()},
        {"match": {"personId": new_id()}},
        {"caller": Caller(new_id())},
        {"caller": Caller(None)},
        {"parent": "people"},
    ],
)
async def test_unknown_foreign_and_mismatched_give_the_same_answer(
    office: Office, stored: Desk, options: Mapping[str, Any]
) -> None:
    await office.references.registry.register("shop", [Application(VISIT, "people", CASCADE)], NOW)
    question = ask(stored, **options)
    expected = "unregistered" if question.parent == "people" else "not-found"
    assert (await answer(office, question)).status == expected


@pytest.mark.parametrize("roles", [{"admin"}, {"admin", "user"}])
async def test_role_may_refer_to_what_is_somebody_elses(office: Office, stored: Desk, roles: set[str]) -> None:
    assert (await answer(office, ask(stored, caller=Caller(new_id(), frozenset(roles))))).ok


@pytest.mark.parametrize(("state", "status"), [("deleting", "not-found"), ("purging", "not-found"), ("active", "ok")])
async def test_parent_in_deletion_is_not_there(office: Office, stored: Desk, state: str, status: str) -> None:
    await office.store.rows("desks").update_one({"_id": stored.id}, {"$set": {"_parent": {"state": state, "epoch": 1}}})
    assert (await answer(office, ask(stored))).status == status


async def test_intent_of_a_parent_is_not_there(office: Office, stored: Desk) -> None:
    await office.store.rows("desks").update_one({"_id": stored.id}, {"$set": {"_intent": {"kind": "create"}}})
    assert (await answer(office, ask(stored))).status == "not-found"
    await office.store.rows("desks").update_one({"_id": stored.id}, {"$set": {"_intent": {"kind": "change"}}})
    assert (await answer(office, ask(stored))).status == "ok"


async def test_condition_is_checked_on_the_fields_that_may_be(office: Office, stored: Desk) -> None:
    assert (await answer(office, ask(stored, require={"state": "free"}))).ok
    assert (await answer(office, ask(stored, require={"state": ["free", "busy"]}))).ok
    failed = await answer(office, ask(stored, require={"state": "busy"}))
    assert (failed.status, failed.detail) == ("condition-failed", "Its state does not allow it (desks).")
    assert (await answer(office, ask(stored, require={"name": "desk"}))).status == "unregistered"


@pytest.mark.parametrize("options", [{"copy": ("name",)}, {"match": {"name": "desk"}}])
async def test_field_that_is_not_exposed_is_told_to_nobody(
    office: Office, stored: Desk, options: Mapping[str, Any]
) -> None:
    refused = await answer(office, ask(stored, **options))
    assert refused.status == "unregistered"
    assert "name" in refused.detail


async def test_natural_key_finds_the_parent_and_its_id(office: Office) -> None:
    questions = [
        Question("chairs.door", "rooms", key={"floor": "main", "door": door}, caller=Caller(None))
        for door in ("12", "13")
    ]
    await office.references.registry.register("shop", [Application("chairs.door", "rooms", RESTRICT)], NOW)
    answers = await office.references.owner.validate(questions)
    assert [one.status for one in answers] == ["ok", "not-found"]
    assert answers[0].id == ROOM_ID


async def test_batch_asks_once_per_parent(office: Office, faults: Faults, stored: Desk) -> None:
    cases = [Case(id=new_id(), person_id=stored.person_id, created_at=NOW, updated_at=NOW) for _ in range(3)]
    await office.store.rows("cases").insert_many([{"_id": one.id, "personId": one.person_id} for one in cases])
    await office.references.registry.register("shop", [Application("visits.caseId", "cases", RESTRICT)], NOW)
    faults.calls.clear()
    questions = [ask(stored), ask(stored, id=new_id())]
    questions += [ask(stored, relationship="visits.caseId", parent="cases", id=one.id) for one in cases]
    answers = await office.references.owner.validate(questions)
    assert [one.status for one in answers] == ["ok", "not-found", "ok", "ok", "ok"]
    reads = [collection for operation, collection in faults.calls if operation == "find"]
    assert reads == ["reference_registry", "desks", "cases"]


async def test_own_confirmation_is_kept_for_a_moment_and_a_refusal_never(office: Office, faults: Faults) -> None:
    here = Question("desks.door", "rooms", key={"floor": "main", "door": "12"})
    nowhere = Question("desks.door", "rooms", key={"floor": "main", "door": "99"})
    owner = office.references.owner
    for _ in range(2):
        assert [one.ok for one in await owner.confirm([here, nowhere])] == [True, False]
    assert faults.count("find", "rooms") == 2
    await owner.confirm([here])
    assert faults.count("find", "rooms") == 2
    await owner.confirm([here], live=True)
    assert faults.count("find", "rooms") == 3
    office.clock.advance(KEPT_S)
    await owner.confirm([here])
    assert faults.count("find", "rooms") == 4


class TestRegistry:
    async def test_relationship_that_is_not_registered_is_not_confirmed(self, office: Office, stored: Desk) -> None:
        assert (await answer(office, ask(stored, relationship="chairs.deskId"))).status == "unregistered"

    async def test_own_relationships_are_registered_at_start(self, office: Office) -> None:
        registered = await office.references.registry.registered(
            {
                ("desks.door", "rooms"),
                ("tickets.deskId", "desks"),
                ("logs.sourceId", "cases"),
                ("logs.sourceId", "cards"),
            }
        )
        assert registered == {("desks.door", "rooms"), ("tickets.deskId", "desks"), ("logs.sourceId", "cases")}

    async def test_registering_again_changes_nothing_but_the_rule(self, office: Office, stored: Desk) -> None:
        registry = office.references.registry
        assert await registry.register("shop", [Application(VISIT, "desks", RESTRICT)], NOW) == []
        row = await office.store.rows("reference_registry").find_one({"_id": f"{VISIT}|desks"})
        assert row is not None
        assert (row["onDelete"], row["state"]) == ("RESTRICT", "registered")

    async def test_one_that_another_wrote_and_a_fail_over_took_back_is_not_called_registered(
        self, office: Office, faults: Faults
    ) -> None:
        """The store says that it is there already, and has it no more."""
        held = faults.add("hold-answer", "find_one", "reference_registry")
        wish = [Application("visits.caseId", "cases", RESTRICT)]
        registering = asyncio.create_task(office.references.registry.register("shop", wish, NOW))
        await held.gate.reached.wait()
        assert await office.references.registry.register("shop", wish, NOW) == []
        gone = faults.add("hold", "find_one", "reference_registry")
        held.gate.open()
        await gone.gate.reached.wait()
        await office.store.rows("reference_registry").delete_many({"parent": "cases"})
        gone.gate.open()
        with pytest.raises(Unavailable):
            await registering

    async def test_relationship_of_one_service_is_not_anothers(self, office: Office, stored: Desk) -> None:
        (refused,) = await office.references.registry.register("bank", [Application(VISIT, "desks", CASCADE)], NOW)
        assert refused.code == "of-another"

    async def test_service_whose_own_relationship_is_anothers_does_not_start(self, office: Office) -> None:
        await office.store.rows("reference_registry").update_one(
            {"_id": "tickets.deskId|desks"}, {"$set": {"service": "bureau"}}
        )
        with pytest.raises(DeclarationError, match=r"tickets\.deskId -> desks: .*bureau.*reference_registry"):
            await office.again().references.start()

    async def test_service_with_one_relationship_too_many_of_its_own_does_not_start(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry, "REFERRING_MAX", 1)
        await office.again().references.start()
        await office.store.rows("reference_registry").delete_many({"parent": "desks"})
        await office.references.registry.register("shop", [Application(VISIT, "desks", CASCADE)], NOW)
        with pytest.raises(DeclarationError, match=r"tickets\.deskId -> desks: 1 relationships.*DELETE"):
            await office.again().references.start()

    async def test_service_starts_without_the_relationship_that_an_operator_removed(self, office: Office) -> None:
        await office.references.registry.remove("tickets.deskId", NOW)
        await office.again().references.start()
        pair = ("tickets.deskId", "desks")
        assert await office.references.registry.registered({pair}) == set()

    async def test_what_an_operator_removed_stays_removed(self, office: Office, stored: Desk) -> None:
        await office.store.rows("reference_registry").update_one(
            {"_id": f"{VISIT}|desks"}, {"$set": {"state": "removed"}}
        )
        (refused,) = await office.references.registry.register("shop", [Application(VISIT, "desks", CASCADE)], NOW)
        assert refused.code == "removed"
        assert (await answer(office, ask(stored))).status == "unregistered"

    @pytest.mark.parametrize(
        ("wish", "code"),
        [
            (Application("a.b", "people", CASCADE), "unknown-entity"),
            (Application("a.b", "desks", CASCADE, frozenset({"name"})), "not-exposed"),
        ],
    )
    async def test_wish_that_cannot_be_granted_is_refused_with_a_code(
        self, office: Office, wish: Application, code: str
    ) -> None:
        (refused,) = await office.references.registry.register("shop", [wish], NOW)
        assert (refused.relationship, refused.code) == ("a.b", code)

    def test_consent_names_services_by_entity(self) -> None:
        consent = Consent("users=bots,staking exchange_accounts=bots")
        assert consent.allows("users", "staking")
        assert not consent.allows("users", "shop")
        assert not consent.allows("sessions", "bots")
        assert Consent(None).allows("users", "shop")
        with pytest.raises(ValueError, match="is written"):
            Consent("users")
