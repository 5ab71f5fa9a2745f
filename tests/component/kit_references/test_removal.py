"""The removal of a whole relationship by an operator, and its return: both halves, and what is under way meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from gateway_stand_in import Client, GatewayStandIn
from mock_store import Faults, faulty_client, mock_client
from office import CARD, NOW, PERSON, Office, attached, desk
from office_service import KEY, office_app

from kit.documents import Entity
from kit.problems import ReferenceClosed
from kit.references.declaration import CASCADE, RESTRICT
from kit.references.registry import Application, Consent, Registry
from kit.references.removal import Wholly
from kit.references.rules import EntityRules

pytestmark = pytest.mark.anyio

VISIT = "visits.deskId"
PATH = "/internal/references/relationships"


class Leaf(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="leafId", referable_by=())

    class Settings:
        name = "leaves"


async def remove(office: Office, relationship: str) -> bool:
    """As the gateway does for an operator; whether it is removed now."""
    number, _ = await office.references.removal.close(relationship)
    rows = await office.references.registry.remove(relationship, NOW, number=number)
    return all(row["state"] == "removed" for row in rows)


async def restore(office: Office, relationship: str) -> bool:
    """The same for its return."""
    closed = await office.references.removal.look(relationship)
    rows = await office.references.registry.restore(relationship, NOW, number=closed.number)
    if any(row["state"] != "registered" for row in rows):
        return False
    return not closed.closed or await office.references.removal.open(relationship, closed.number)


class TestChild:
    async def test_nothing_of_it_is_written_after_it_was_closed(self, office: Office) -> None:
        await office.references.removal.close(PERSON)
        one = desk()
        with pytest.raises(ReferenceClosed) as refused:
            await office.references.create(one, attached(one, epoch=99))
        assert refused.value.extensions["closed"] == [{"relationship": PERSON, "parent": "", "id": "*"}]
        assert await office.row(one) is None

    async def test_what_is_under_way_is_voided_and_what_is_not_its_own_is_left(self, office: Office) -> None:
        rows = office.store.rows("desks")
        mine, others = f"{PERSON}|people|p", f"{PERSON}s|people|p"
        stored = desk()
        await office.references.create(stored, attached(stored))
        await rows.insert(
            {
                "_id": "a",
                "name": "a",
                "_token": "a",
                "_intent": {"kind": "create", "token": "a", "refs": ["x|y|z", mine]},
            }
        )
        await rows.insert(
            {"_id": "b", "name": "b", "_token": "b", "_intent": {"kind": "create", "token": "b", "refs": [others]}}
        )
        slot = {"kind": "change", "token": "c", "refs": [mine], "version": 1, "patch": [], "unset": []}
        await rows.update_one({"_id": stored.id}, {"$set": {"_intent": slot}})
        assert await office.references.removal.close(PERSON) == (1, 2)
        assert [row["_id"] for row in await office.intents()] == ["b"]
        kept = await office.row(stored)
        assert kept is not None
        assert "_intent" not in kept
        assert await office.references.removal.close(PERSON) == (2, 0)

    @pytest.mark.parametrize("step", ["insert", "find"])
    async def test_write_between_two_of_its_steps_is_not_committed(
        self, office: Office, faults: Faults, step: str
    ) -> None:
        """Its intent is written, or the closures were found open as well, when the relationship is closed."""
        collection = {"insert": "desks", "find": "reference_closures"}[step]
        held = faults.add("hold-answer", f"{step}_many" if step == "insert" else step, collection)
        one = desk()
        task = asyncio.create_task(office.references.create(one, attached(one)))
        await held.gate.reached.wait()
        assert await office.references.removal.close(PERSON) == (1, 1)
        held.gate.open()
        with pytest.raises(ReferenceClosed):
            await task
        assert await office.row(one) is None

    async def test_documents_that_are_there_stay_and_are_changed_as_ever(self, office: Office) -> None:
        one = desk()
        await office.references.create(one, attached(one))
        await office.references.removal.close(CARD)
        assert await office.row(one) is not None
        patch = {"name": "renamed"}
        assert await office.store.rows("desks").update_one({"_id": one.id}, {"$set": patch})

    async def test_it_is_opened_only_by_who_saw_it_closed_as_it_is(self, office: Office) -> None:
        removal = office.references.removal
        assert await removal.look(PERSON) == Wholly(closed=False, number=0)
        assert await removal.open(PERSON, 0)
        await removal.close(PERSON)
        assert await removal.look(PERSON) == Wholly(closed=True, number=1)
        await removal.close(PERSON)
        assert not await removal.open(PERSON, 1)
        assert await removal.look(PERSON) == Wholly(closed=True, number=2)
        assert await removal.open(PERSON, 2)
        assert await removal.open(PERSON, 2), "its answer may have been lost"
        one = desk()
        await office.references.create(one, attached(one))

    async def test_every_closing_has_a_number_of_its_own(self, office: Office) -> None:
        numbers = await asyncio.gather(*(office.references.removal.close(PERSON) for _ in range(5)))
        assert sorted(number for number, _ in numbers) == [1, 2, 3, 4, 5]

    async def test_relationship_that_this_version_does_not_declare_is_closed_all_the_same(self, office: Office) -> None:
        for relationship in ("desks.gone", "tables.deskId"):
            assert await office.references.removal.close(relationship) == (1, 0)
            assert (await office.references.removal.look(relationship)).closed


class TestOwner:
    @pytest.fixture
    async def registered(self, office: Office) -> Office:
        wishes = [Application(VISIT, "desks", CASCADE), Application("visits.caseId", "cases", RESTRICT)]
        assert await office.references.registry.register("shop", wishes, NOW) == []
        return office

    async def names(self, office: Office, entity: str = "desks") -> list[str]:
        return [one.relationship for one in await office.references.registry.relationships_to(entity)]

    async def test_who_refers_to_an_entity_is_told_by_name(self, registered: Office) -> None:
        assert await self.names(registered) == ["tickets.deskId", VISIT]
        found = await registered.references.registry.relationships_to("desks")
        assert [(one.service, one.on_delete, one.parent) for one in found] == [
            ("office", CASCADE, "desks"),
            ("shop", CASCADE, "desks"),
        ]

    async def test_deletes_leave_out_what_is_removed_until_it_is_restored(self, registered: Office) -> None:
        registry = registered.references.registry
        assert [row["state"] for row in await registry.remove(VISIT, NOW, number=1)] == ["removed"]
        assert await self.names(registered) == ["tickets.deskId"]
        assert await self.names(registered, "cases") == ["logs.sourceId", "visits.caseId"]
        assert [row["state"] for row in await registry.remove(VISIT, NOW, number=1)] == ["removed"], (
            "it may be repeated"
        )
        assert [row["state"] for row in await registry.restore(VISIT, NOW, number=1)] == ["registered"]
        assert await self.names(registered) == ["tickets.deskId", VISIT]
        assert await registry.remove("never.heard", NOW, number=1) == []

    async def test_of_two_commands_the_one_by_the_later_closing_holds(self, registered: Office) -> None:
        registry = registered.references.registry

        async def state(step: str, number: int) -> str:
            act = registry.remove if step == "remove" else registry.restore
            (row,) = await act(VISIT, NOW, number=number)
            return str(row["state"])

        assert await state("restore", 1) == "registered"
        assert await state("remove", 1) == "registered", "its closing was opened"
        assert await state("remove", 3) == "removed"
        assert await state("restore", 2) == "removed", "it was closed again since"
        assert await state("remove", 2) == "removed"
        assert await state("restore", 2) == "removed"
        assert await state("restore", 3) == "registered"

    async def test_what_returns_is_no_longer_validated(self, registered: Office) -> None:
        rows = registered.store.rows("reference_registry")
        await rows.update_one({"_id": f"{VISIT}|desks"}, {"$set": {"validatedAt": NOW}})
        await registered.references.registry.remove(VISIT, NOW, number=1)
        (row,) = await registered.references.registry.restore(VISIT, NOW, number=1)
        assert not {"validatedAt", "removedAt"} & row.keys()

    async def test_polymorphic_relationship_is_removed_for_each_of_its_parents(self, registered: Office) -> None:
        registry = registered.references.registry
        wishes = [Application("notes.aboutId", parent, RESTRICT) for parent in ("desks", "cases")]
        assert await registry.register("shop", wishes, NOW) == []
        assert {row["parent"] for row in await registry.remove("notes.aboutId", NOW, number=None)} == {"desks", "cases"}
        refused = await registry.register("shop", wishes, NOW)
        assert [(one.code, one.parent) for one in refused] == [("removed", "desks"), ("removed", "cases")]

    async def test_nobody_is_registered_with_an_entity_that_none_may_refer_to(self, office: Office) -> None:
        registry = Registry(office.store, [Leaf], service="office", consent=Consent(None))
        (refused,) = await registry.register("shop", [Application("visits.leafId", "leaves", CASCADE)], NOW)
        assert (refused.code, refused.parent) == ("not-referable", "leaves")


@pytest.mark.parametrize("seed", range(40))
async def test_of_removing_and_restoring_at_once_nothing_is_open_that_is_removed(seed: int) -> None:
    client, faults = faulty_client(seed)
    office = await Office(client, faults=faults).start()
    door = "desks.door"
    if seed % 2:
        assert await remove(office, door)
    operators = [remove(office, door), restore(office, door), remove(office, door), restore(office, door)]
    random.Random(seed).shuffle(operators)
    await asyncio.gather(*operators)
    row = await office.store.rows("reference_registry").find_one({"_id": f"{door}|rooms"})
    assert row is not None
    one = desk()
    if row["state"] == "removed":
        with pytest.raises(ReferenceClosed):
            await office.references.create(one, attached(one))
    assert await restore(office, door)
    await office.references.create(one, attached(one))


class TestOverHttp:
    @pytest.fixture
    async def gateway(self, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Client]:
        async with GatewayStandIn(office_app(tmp_path, mock_client()), "office", KEY.encode()) as started:
            yield started.anonymous()

    async def asked(self, gateway: Client, step: str, **body: Any) -> Any:
        answer = await gateway.post(f"{PATH}/{step}", json=body)
        assert answer.status_code == 200
        return answer.json()

    async def test_each_step_is_a_call_that_may_be_repeated(self, gateway: Client) -> None:
        assert await self.asked(gateway, "look", relationship=PERSON) == {"closed": False, "number": 0}
        for number in (1, 2):
            assert await self.asked(gateway, "close", relationship=PERSON) == {"number": number, "voided": 0}
        assert await self.asked(gateway, "look", relationship=PERSON) == {"closed": True, "number": 2}
        assert await self.asked(gateway, "open", relationship=PERSON, number=1) == {"open": False}
        for _ in range(2):
            assert await self.asked(gateway, "open", relationship=PERSON, number=2) == {"open": True}
        door = "desks.door"
        for step, state in (("remove", "removed"), ("remove", "removed"), ("restore", "registered")):
            (row,) = (await self.asked(gateway, step, relationship=door, number=1))["relationships"]
            assert (row["parent"], row["state"]) == ("rooms", state)

    async def test_registry_is_listed_as_it_is(self, gateway: Client) -> None:
        listed = {one["relationship"]: one for one in (await self.asked(gateway, "list"))["relationships"]}
        registered_at = listed["desks.door"].pop("registeredAt")
        assert registered_at.endswith("Z")
        assert listed["desks.door"] == {
            "relationship": "desks.door",
            "parent": "rooms",
            "service": "office",
            "onDelete": "RESTRICT",
            "state": "registered",
            "isValidated": False,
        }

    @pytest.mark.parametrize("name", ["", "desks", "desks.*", "desks.personId|x", "d" * 120 + ".x", 7])
    async def test_what_is_no_relationship_is_refused(self, gateway: Client, name: Any) -> None:
        for step in ("close", "look", "open", "remove", "restore"):
            answer = await gateway.post(f"{PATH}/{step}", json={"relationship": name, "number": 1})
            assert answer.status_code == 422
