"""The child's half after the point of no return: set null, removed, forced; and the parts of what went."""

import asyncio
from typing import Annotated, Any, ClassVar

import pytest
from mock_store import Faults
from office import DOCUMENTS, NOW, PERSON, Desk, Office, attached, desk
from people_service import PEOPLE_DOCUMENTS

from kit.documents import Entity, Stored
from kit.ids import Id, new_id
from kit.problems import NotFound
from kit.references.closures import Closures
from kit.references.declaration import CASCADE, RESTRICT, SET_NULL, Reference
from kit.references.deletes.cascading import BATCH_MAX, Applied, Cascade, Doomed
from kit.references.deletes.naming import Naming, Namings
from kit.references.deletes.parent_states import ParentAt, ParentState, parent_at
from kit.references.deletes.parts import Parts
from kit.references.owner import LocalOwner, Question
from kit.references.registry import Application, Consent, Registry
from kit.references.rules import EntityRules
from kit.store import StoreUnavailable

pytestmark = pytest.mark.anyio

ROOT = "people.root"
NoteNextRef = Annotated[Id, Reference("notes", on_delete=SET_NULL)]


class Note(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="noteId")

    next_id: NoteNextRef | None = None

    class Settings:
        name = "notes"


class OpenBadge(Entity):
    """A badge by a version that lets others refer to it."""

    rules: ClassVar[EntityRules] = EntityRules(key="badgeId")

    class Settings:
        name = "badges"


ALL: tuple[type[Stored], ...] = (*DOCUMENTS, *PEOPLE_DOCUMENTS, Note)
NAMINGS = Namings(ALL)


def naming(relationship: str, parent: str = "people") -> Naming:
    return NAMINGS.find(relationship, parent)


def cascade(office: Office) -> Cascade:
    registry = Registry(office.store, ALL, service="office", consent=Consent(None))
    return Cascade(
        office.store,
        ALL,
        registry,
        Parts(office.store, ALL, clock=office.clock),
        Closures(office.store),
        clock=office.clock,
    )


async def apply(office: Office, relationship: str, *ids: str, rule: Any = CASCADE, parent: str = "people") -> Applied:
    return await cascade(office).apply(naming(relationship, parent), ids, rule, ROOT)


async def stored(office: Office, **values: Any) -> Desk:
    one = desk(**values)
    await office.references.create(one, attached(one))
    return one


async def rows_of(office: Office, collection: str) -> list[dict[str, Any]]:
    return await office.store.rows(collection).find({}, sort=[("_id", 1)], limit=2_000)


async def put(office: Office, collection: str, *rows: dict[str, Any]) -> None:
    base = {"version": 1, "createdAt": NOW, "updatedAt": NOW}
    await office.store.rows(collection).insert_many([{**base, **row} for row in rows])


class TestSetNull:
    async def test_field_goes_and_the_version_grows(self, office: Office) -> None:
        lamp = new_id()
        one, other = await stored(office, lamp_id=lamp), await stored(office, lamp_id=new_id(), name="other")
        office.clock.advance(60)
        applied = await apply(office, "desks.lampId", lamp, rule=SET_NULL, parent="lamps")
        assert applied == Applied(set_null=1)
        kept = await office.store.collection(Desk).get(one.id)
        assert kept is not None
        assert (kept.lamp_id, kept.version, kept.updated_at) == (None, 2, office.clock.now())
        assert await office.store.collection(Desk).get(other.id) == other
        assert not await cascade(office).left(naming("desks.lampId", "lamps"), [lamp])

    async def test_change_under_way_misses(self, office: Office, faults: Faults) -> None:
        one = await stored(office, lamp_id=new_id())
        commit = faults.add("hold", "bulk_write", "desks", skip=1)
        changing = asyncio.create_task(office.references.change(one, {"state": "busy"}, attached=attached(one)))
        await commit.gate.reached.wait()
        assert (await apply(office, "desks.lampId", one.lamp_id or "", rule=SET_NULL, parent="lamps")).set_null == 1
        commit.gate.open()
        assert await changing is None
        kept = await office.store.collection(Desk).get(one.id)
        assert kept is not None
        assert (kept.lamp_id, kept.state) == (None, "free")

    async def test_moved_to_another_meanwhile_keeps_it(self, office: Office, faults: Faults) -> None:
        one, lamp = await stored(office, lamp_id=new_id()), new_id()
        held = faults.add("hold", "update_many", "desks")
        applying = asyncio.create_task(apply(office, "desks.lampId", one.lamp_id or "", rule=SET_NULL, parent="lamps"))
        await held.gate.reached.wait()
        await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"lampId": lamp}})
        held.gate.open()
        assert (await applying).set_null == 0
        assert (await rows_of(office, "desks"))[0]["lampId"] == lamp

    async def test_self_reference_does_not_count_as_a_child(self, office: Office) -> None:
        await put(office, "notes", {"_id": "a", "nextId": "a"}, {"_id": "b", "nextId": "a"})
        assert (await apply(office, "notes.nextId", "a", rule=SET_NULL, parent="notes")).set_null == 1
        assert [row.get("nextId") for row in await rows_of(office, "notes")] == ["a", None]
        assert not await cascade(office).left(naming("notes.nextId", "notes"), ["a"])


class TestLeaves:
    async def test_removed_with_their_parts_at_once(self, office: Office) -> None:
        await put(office, "badges", {"_id": "b1", "personId": "p"}, {"_id": "b2", "personId": "q"})
        await put(office, "badge_uses", *({"_id": f"{one}-{n}", "badgeId": one} for one in ("b1", "b2") for n in "xy"))
        assert await apply(office, "badges.personId", "p") == Applied(removed=1)
        assert [row["_id"] for row in await rows_of(office, "badges")] == ["b2"]
        assert [row["_id"] for row in await rows_of(office, "badge_uses")] == ["b2-x", "b2-y"]

    async def test_one_that_moved_away_meanwhile_stays_with_its_parts(self, office: Office, faults: Faults) -> None:
        await put(office, "badges", {"_id": "b1", "personId": "p"}, {"_id": "b2", "personId": "p"})
        await put(office, "badge_uses", {"_id": "u1", "badgeId": "b1"}, {"_id": "u2", "badgeId": "b2"})
        held = faults.add("hold", "update_many", "badges")
        applying = asyncio.create_task(apply(office, "badges.personId", "p"))
        await held.gate.reached.wait()
        await office.store.rows("badges").update_one({"_id": "b2"}, {"$set": {"personId": "q"}})
        held.gate.open()
        assert await applying == Applied(removed=1)
        assert [row["_id"] for row in await rows_of(office, "badge_uses")] == ["u2"]

    async def test_more_than_a_batch_comes_in_batches(self, office: Office) -> None:
        await put(office, "badges", *({"_id": f"b{number}", "personId": "p"} for number in range(BATCH_MAX + 1)))
        assert await apply(office, "badges.personId", "p") == Applied(removed=BATCH_MAX, more=True)
        assert await apply(office, "badges.personId", "p") == Applied(removed=1)
        assert await apply(office, "badges.personId", "p") == Applied()

    async def test_forced_if_an_earlier_version_let_others_refer_to_it(self, office: Office) -> None:
        await put(office, "badges", {"_id": "b1", "personId": "p"})
        registration = {"relationship": "visits.badgeId", "parent": "badges", "service": "shop", "onDelete": "CASCADE"}
        await office.store.rows("reference_registry").insert({"_id": "v|b", "state": "registered", **registration})
        applied = await apply(office, "badges.personId", "p")
        assert [(one.id, one.epoch) for one in applied.forced] == [("b1", 1)]
        assert [one.relationship for one in applied.relationships] == ["visits.badgeId"]

    @pytest.mark.parametrize("operation", ["update_many", "delete_many"])
    async def test_not_confirmed_to_those_whom_another_version_lets_refer_to_it_meanwhile(
        self, office: Office, faults: Faults, operation: str
    ) -> None:
        """A replica of that version registers them and asks its database, at any moment of the removal by this one."""
        await put(office, "badges", {"_id": "b1", "personId": "p"})
        registry = Registry(office.store, [OpenBadge], service="people", consent=Consent(None))
        newer = LocalOwner(office.store, [OpenBadge], registry, clock=office.clock)
        held = faults.add("hold", operation, "badges")
        applying = asyncio.create_task(apply(office, "badges.personId", "p"))
        await held.gate.reached.wait()
        assert await registry.register("shop", [Application("visits.badgeId", "badges", CASCADE)], NOW) == []
        (answer,) = await newer.validate([Question("visits.badgeId", "badges", caller=None, id="b1")])
        held.gate.open()
        applied = await applying
        assert (answer.status == "ok") == bool(applied.forced)
        assert (applied.removed == 1) == (not applied.forced)
        assert [one.relationship for one in applied.relationships] == (["visits.badgeId"] if applied.forced else [])

    async def test_intents_are_not_children(self, office: Office) -> None:
        intent = {"kind": "create", "token": "t", "refs": ["badges.personId|people|p"], "at": NOW}
        await put(office, "badges", {"_id": "b1", "personId": "p", "_token": "t", "_intent": intent})
        assert await apply(office, "badges.personId", "p") == Applied()
        assert not await cascade(office).left(naming("badges.personId"), ["p"])
        assert len(await rows_of(office, "badges")) == 1

    async def test_rule_of_the_plan_counts_and_restrict_touches_nothing(self, office: Office) -> None:
        await put(office, "badges", {"_id": "b1", "personId": "p"})
        assert await apply(office, "badges.personId", "p", rule=RESTRICT) == Applied()
        assert len(await rows_of(office, "badges")) == 1
        assert await cascade(office).left(naming("badges.personId"), ["p"])


class TestForce:
    @pytest.mark.parametrize(
        ("before", "epoch", "deletion"),
        [
            (None, 1, ROOT),
            (ParentAt(ParentState.ACTIVE, 4), 5, ROOT),
            (ParentAt(ParentState.DELETING, 3, "office.own"), 4, ROOT),
            (ParentAt(ParentState.PURGING, 3, "office.own"), 3, "office.own"),
        ],
    )
    async def test_from_wherever_it_is(
        self, office: Office, before: ParentAt | None, epoch: int, deletion: str
    ) -> None:
        one = await stored(office)
        if before is not None:
            await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"_parent": before.stored()}})
        applied = await apply(office, PERSON, one.person_id)
        assert applied.forced == (Doomed(one.id, epoch),)
        assert [known.relationship for known in applied.relationships] == ["tickets.deskId"]
        row = await office.row(one)
        assert row is not None
        at = parent_at(row)
        assert (at.state, at.epoch, at.deletion) == (ParentState.PURGING, epoch, deletion)
        assert (await apply(office, PERSON, one.person_id)).forced == applied.forced  # whoever resumes finds it again

    async def test_child_that_moved_away_meanwhile_is_left_alone(self, office: Office, faults: Faults) -> None:
        one, stays = await stored(office), new_id()
        other = await stored(office, person_id=one.person_id, name="other")
        held = faults.add("hold", "update_many", "desks")
        applying = asyncio.create_task(apply(office, PERSON, one.person_id))
        await held.gate.reached.wait()
        await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"personId": stays}})
        held.gate.open()
        assert (await applying).forced == (Doomed(other.id, 1),)
        row = await office.row(one)
        assert row is not None
        assert "_parent" not in row

    async def test_own_delete_that_begins_meanwhile_is_forced_next_time(self, office: Office, faults: Faults) -> None:
        one = await stored(office)
        held = faults.add("hold", "update_many", "desks")
        applying = asyncio.create_task(apply(office, PERSON, one.person_id))
        await held.gate.reached.wait()
        own = ParentAt(ParentState.DELETING, 1, "office.own")
        await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"_parent": own.stored()}})
        held.gate.open()
        assert (await applying).forced == ()
        assert (await apply(office, PERSON, one.person_id)).forced == (Doomed(one.id, 2),)

    async def test_forced_child_is_not_changed_any_more(self, office: Office) -> None:
        one = await stored(office)
        await apply(office, PERSON, one.person_id)
        with pytest.raises(NotFound, match="being deleted"):
            await office.references.change(one, {"state": "busy"}, attached=attached(one))

    @pytest.mark.parametrize("kind", ["refuse", "lose", "late"])
    @pytest.mark.parametrize("skip", range(5))
    async def test_any_operation_may_fail_and_is_done_again(
        self, office: Office, faults: Faults, kind: str, skip: int
    ) -> None:
        one = await stored(office)
        faults.add(kind, skip=skip)
        forced: tuple[Doomed, ...] = ()
        for _ in range(3):
            try:
                forced = (await apply(office, PERSON, one.person_id)).forced
                break
            except StoreUnavailable:
                continue
        faults.rules.clear()
        await faults.deliver()
        row = await office.row(one)
        assert row is not None
        assert forced == (Doomed(one.id, parent_at(row).epoch),)


class TestRemove:
    async def test_only_those_in_purging_at_their_epoch_go_with_their_parts(self, office: Office) -> None:
        purging, newer, alive = [await stored(office, name=str(number)) for number in range(3)]
        for one, at in ((purging, ParentAt(ParentState.PURGING, 1)), (newer, ParentAt(ParentState.PURGING, 2))):
            await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"_parent": at.stored()}})
        ids = [one.id for one in (purging, newer, alive)]
        await put(office, "desk_events", *({"_id": f"{one}e", "deskId": one, "what": "w"} for one in ids))
        doomed = [Doomed(one, 1) for one in ids]
        assert await cascade(office).remove("desks", doomed) == 1
        assert await cascade(office).remove("desks", doomed) == 0
        assert {row["_id"] for row in await rows_of(office, "desks")} == {newer.id, alive.id}
        assert {row["deskId"] for row in await rows_of(office, "desk_events")} == {newer.id, alive.id}
