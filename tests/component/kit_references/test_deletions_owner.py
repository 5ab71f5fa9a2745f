"""The owner's half of a delete: each arrow a compare-and-set, whatever is lost, late or asked for twice."""

from typing import Any

import pytest
from mock_store import Faults
from office import NOW, Desk, Office, attached, desk

from kit.problems import NotFound, VersionMismatch
from kit.references.deletes import deletion_records as records
from kit.references.deletes.deleting import DeletePlan
from kit.references.deletes.deletions import CHANGED, Standing
from kit.references.deletes.parent_states import ParentAt, ParentState, parent_at
from kit.references.deletes.parts import SEEN_TWICE_AFTER_S
from kit.store import StoreUnavailable

pytestmark = pytest.mark.anyio

TICKETS = {"relationship": "tickets.deskId", "service": "office", "onDelete": "CASCADE"}
BLOCKED = [{"relationship": "tickets.deskId", "count": 12, "ids": [f"t{number:02}" for number in range(12)]}]
TRIES = 8


async def stored(office: Office, **values: Any) -> Desk:
    one = desk(**values)
    await office.references.create(one, attached(one))
    return one


async def begin(office: Office, one: Desk, asker: str | None = "alice", **plan: Any) -> Standing:
    return await office.references.deletions.begin("office", "desks", DeletePlan(one.id, **plan), asker)


async def at(office: Office, one: Desk) -> ParentAt:
    row = await office.row(one)
    assert row is not None
    return parent_at(row)


async def kept_records(office: Office) -> list[dict[str, Any]]:
    return await office.store.rows(records.NAME).find({}, limit=100)


class TestBegin:
    async def test_marks_the_document_and_says_whom_to_ask(self, office: Office) -> None:
        one = await stored(office)
        standing = await begin(office, one)
        assert (standing.state, standing.entity, standing.id, standing.epoch) == ("deleting", "desks", one.id, 1)
        assert (standing.relationships, standing.requested_by) == ((TICKETS,), "alice")
        assert await at(office, one) == ParentAt(ParentState.DELETING, 1, standing.deletion_id)

    async def test_second_joins_the_first(self, office: Office) -> None:
        one = await stored(office)
        first = await begin(office, one)
        assert await begin(office, one, "bob") == first
        assert len(await kept_records(office)) == 1

    async def test_what_is_not_there_or_is_an_intent_is_not_found(self, office: Office) -> None:
        with pytest.raises(NotFound):
            await begin(office, desk())
        pending = {"kind": "create", "token": "t", "refs": ["desks.personId|people|p"], "at": NOW}
        one = desk()
        await office.store.rows("desks").insert({"_id": one.id, "name": "n", "_token": "t", "_intent": pending})
        with pytest.raises(NotFound):
            await begin(office, one)
        assert await kept_records(office) == []

    async def test_refused_for_another_version_and_without_what_must_hold(self, office: Office) -> None:
        one = await stored(office)
        before = await office.row(one)
        with pytest.raises(VersionMismatch):
            await begin(office, one, version=2)
        assert (await begin(office, one, where={"state": "busy"})).state == CHANGED
        assert await office.row(one) == before
        assert await kept_records(office) == []
        assert (await begin(office, one, version=1, where={"state": {"$ne": "busy"}})).state == "deleting"

    async def test_one_that_another_document_forces_is_joined_at_its_epoch(self, office: Office) -> None:
        """Should that other one be told to leave its children alone, this delete still ends."""
        one = await stored(office)
        forced = ParentAt(ParentState.PURGING, 1, "people.1").stored()
        await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"_parent": forced}})
        standing = await begin(office, one)
        assert (standing.state, standing.epoch, standing.fresh) == ("purging", 1, False)
        assert [one["relationship"] for one in standing.relationships] == ["tickets.deskId"]
        assert (await begin(office, one)).deletion_id == standing.deletion_id
        assert (await office.references.deletions.finish(standing.deletion_id, 1, {})).state == "done"
        assert await office.row(one) is None

    async def test_mark_that_no_record_knows_of_is_taken_back_and_made_anew(self, office: Office) -> None:
        one = await stored(office)
        restored = ParentAt(ParentState.DELETING, 3, "office.lost").stored()
        await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"_parent": restored}})
        standing = await begin(office, one)
        assert (standing.state, standing.epoch) == ("deleting", 5)
        assert standing.deletion_id != "office.lost"

    async def test_record_of_another_entity_with_its_id_is_not_its_own(self, office: Office) -> None:
        """As users and their balances share their ids."""
        one = await stored(office)
        kept = office.references.deletions.records
        await kept.insert("office.other", "rooms", one.id, 1, "bob")
        forced = ParentAt(ParentState.PURGING, 1, "office.other").stored()
        await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"_parent": forced}})
        standing = await begin(office, one)
        assert (standing.state, standing.entity) == ("purging", "desks")
        assert standing.deletion_id != "office.other"

    @pytest.mark.parametrize("skip", range(8))
    @pytest.mark.parametrize("kind", ["refuse", "lose", "late"])
    @pytest.mark.parametrize("state", [ParentState.PURGING, ParentState.DELETING])
    async def test_joining_may_fail_anywhere_and_still_ends(
        self, office: Office, faults: Faults, kind: str, skip: int, state: ParentState
    ) -> None:
        one = await stored(office)
        found = ParentAt(state, 1, "people.1").stored()
        await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"_parent": found}})
        faults.add(kind, skip=skip)
        assert await coordinated(office, one, blocked=False) == "done"
        faults.rules.clear()
        await faults.deliver()
        assert await office.row(one) is None
        for left in await office.references.deletions.unfinished():
            assert (await office.references.deletions.resume(left["deletionId"])).state == "done"


class TestArrows:
    async def test_refusal_changes_nothing_but_the_epoch(self, office: Office) -> None:
        one = await stored(office)
        before = await office.row(one)
        begun = await begin(office, one)
        standing = await office.references.deletions.refuse(begun.deletion_id, 1, BLOCKED)
        assert standing.state == "refused"
        assert [len(one["ids"]) for one in standing.blocked_by] == [10]
        after = await office.row(one)
        assert before is not None
        assert after == {**before, "_parent": {"state": "active", "epoch": 2}}
        assert (await begin(office, one)).epoch == 3

    async def test_only_the_first_of_refusal_and_purge_counts(self, office: Office) -> None:
        deletions = office.references.deletions
        refused, purged = await stored(office), await stored(office)
        first, second = await begin(office, refused), await begin(office, purged)
        await deletions.refuse(first.deletion_id, 1, BLOCKED)
        assert (await deletions.purge(first.deletion_id, 1, [TICKETS])).state == "refused"
        assert (await at(office, refused)).state == "active"
        assert (await deletions.purge(second.deletion_id, 1, [TICKETS])).fresh
        assert (await deletions.refuse(second.deletion_id, 1, BLOCKED)).state == "purging"
        again = await deletions.purge(second.deletion_id, 1, [])
        assert (again.fresh, again.relationships) == (False, (TICKETS,))

    async def test_nothing_is_finished_before_its_purge(self, office: Office) -> None:
        one = await stored(office)
        begun = await begin(office, one)
        assert (await office.references.deletions.finish(begun.deletion_id, 1, {})).state == "deleting"
        assert await office.row(one) is not None

    async def test_finish_takes_the_parts_along_and_may_be_repeated(self, office: Office) -> None:
        one, other = await stored(office), await stored(office)
        events = office.store.rows("desk_events")
        await events.insert_many([{"_id": f"{x.id}e", "deskId": x.id, "what": "w"} for x in (one, other)])
        begun = await begin(office, one)
        deletions = office.references.deletions
        await deletions.purge(begun.deletion_id, 1, [])
        for _ in range(2):
            standing = await deletions.finish(begun.deletion_id, 1, {"removed": 3})
            assert (standing.state, standing.progress) == ("done", {"removed": 3})
        assert await office.row(one) is None
        assert [row["deskId"] for row in await events.find({}, limit=9)] == [other.id]
        assert await deletions.unfinished() == []

    async def test_overtaken_by_the_purge_of_a_parent(self, office: Office) -> None:
        deletions = office.references.deletions
        one = await stored(office)
        begun = await begin(office, one)
        forced = ParentAt(ParentState.PURGING, 2, "people.1")
        await office.store.rows("desks").update_one({"_id": one.id}, {"$set": {"_parent": forced.stored()}})
        for standing in (
            await deletions.purge(begun.deletion_id, 1, []),
            await deletions.refuse(begun.deletion_id, 1, BLOCKED),
            await deletions.finish(begun.deletion_id, 1, {}),
        ):
            assert (standing.state, standing.other) == ("overtaken", "people.1")
        assert await at(office, one) == forced

    async def test_plan_leaves_out_what_an_operator_removed_since(self, office: Office) -> None:
        one = await stored(office)
        begun = await begin(office, one)
        await office.references.deletions.purge(begun.deletion_id, 1, [TICKETS])
        removed = {"$set": {"state": "removed"}}
        await office.store.rows("reference_registry").update_many({"relationship": "tickets.deskId"}, removed)
        assert (await office.references.deletions.resume(begun.deletion_id)).relationships == ()


class TestLostAndLate:
    async def test_mark_whose_answer_is_lost_is_found_by_whoever_sweeps(self, office: Office, faults: Faults) -> None:
        one = await stored(office)
        faults.add("lose", "update_one", "desks")
        with pytest.raises(StoreUnavailable):
            await begin(office, one)
        (open_one,) = await office.references.deletions.unfinished()
        standing = await office.references.deletions.resume(open_one["deletionId"])
        assert (standing.state, standing.epoch) == ("deleting", 1)
        assert (await begin(office, one)).deletion_id == standing.deletion_id

    async def test_mark_that_is_late_never_arrives_once_it_was_given_up(self, office: Office, faults: Faults) -> None:
        one = await stored(office)
        faults.add("late", "update_one", "desks")
        with pytest.raises(StoreUnavailable):
            await begin(office, one)
        (open_one,) = await office.references.deletions.unfinished()
        assert (await office.references.deletions.resume(open_one["deletionId"])).state == "abandoned"
        await faults.deliver()
        assert await at(office, one) == ParentAt(ParentState.ACTIVE, 1)
        begun = await begin(office, one)
        assert (begun.state, begun.epoch) == ("deleting", 2)

    async def test_mark_that_was_abandoned_under_way_begins_anew(self, office: Office, faults: Faults) -> None:
        one = await stored(office)
        faults.add("late", "update_one", "desks")
        with pytest.raises(StoreUnavailable):
            await begin(office, one)
        begun = await begin(office, one)
        (lost,) = [x for x in await office.references.deletions.unfinished() if x["deletionId"] != begun.deletion_id]
        assert (await office.references.deletions.resume(lost["deletionId"])).state == "abandoned"
        await faults.deliver()
        assert (await at(office, one)).deletion == begun.deletion_id

    async def test_record_that_was_not_written_leaves_the_document_alone(self, office: Office, faults: Faults) -> None:
        one = await stored(office)
        faults.add("late", "insert_one", records.NAME)
        with pytest.raises(StoreUnavailable):
            await begin(office, one)
        assert (await at(office, one)).epoch == 0
        await faults.deliver()
        (open_one,) = await office.references.deletions.unfinished()
        assert (await office.references.deletions.resume(open_one["deletionId"])).state == "abandoned"

    @pytest.mark.parametrize("skip", range(14))
    @pytest.mark.parametrize("kind", ["refuse", "lose", "late"])
    @pytest.mark.parametrize("blocked", [True, False])
    async def test_any_operation_may_fail_and_any_coordinator_goes_on(
        self, office: Office, faults: Faults, kind: str, skip: int, *, blocked: bool
    ) -> None:
        one = await stored(office)
        await office.store.rows("desk_events").insert({"_id": one.id, "deskId": one.id, "what": "w"})
        faults.add(kind, skip=skip)
        assert await coordinated(office, one, blocked=blocked) == ("refused" if blocked else "done")
        faults.rules.clear()  # a shorter way than the fault waited for
        await faults.deliver()
        assert (await office.row(one) is None) != blocked
        if blocked:
            assert (await at(office, one)).state == "active"
            assert len(await office.store.rows("desk_events").find({}, limit=2)) == 1
        for _ in range(3):
            await office.references.parts.sweep()
            office.clock.advance(SEEN_TWICE_AFTER_S)
        if not blocked:
            assert await office.store.rows("desk_events").find({}, limit=2) == []
            assert await office.store.rows("reference_removed_aggregates").find({}, limit=2) == []
        for left in await office.references.deletions.unfinished():
            await office.references.deletions.resume(left["deletionId"])
        assert await office.references.deletions.unfinished() == []


async def coordinated(office: Office, one: Desk, *, blocked: bool) -> str:
    """Drives a delete to its end as a gateway does: after a failure from wherever it stands."""
    deletions = office.references.deletions
    deletion_id = ""
    for _ in range(TRIES):
        try:
            standing = await deletions.resume(deletion_id) if deletion_id else await begin(office, one)
            deletion_id = standing.deletion_id
            if standing.state == "deleting" and blocked:
                standing = await deletions.refuse(deletion_id, standing.epoch, BLOCKED)
            elif standing.state == "deleting":
                standing = await deletions.purge(deletion_id, standing.epoch, [TICKETS])
            if standing.state == "purging":
                standing = await deletions.finish(deletion_id, standing.epoch, {})
            if standing.state in records.FINAL:
                return standing.state
        except StoreUnavailable:
            continue
    raise AssertionError("the delete did not end")
