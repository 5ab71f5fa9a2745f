"""Two that want one value, or one id: duplicate keys against documents and against intents."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pytest
from mock_store import Faults
from office import CARD, NOW, Desk, Office, attached, desk

from kit.documents import Record
from kit.ids import new_id
from kit.problems import AlreadyExists, ReferenceNotFound, Unavailable
from kit.references import change_recovery, create_recovery
from kit.references.attached import Attached
from kit.store import DuplicateKey, index

pytestmark = pytest.mark.anyio


class DeskOfOldIndex(Record):
    """An index of desks as an older version declared it."""

    class Settings:
        name = "desks"
        indexes: ClassVar = [index("name", unique=True)]


async def test_value_of_a_document_names_the_index(office: Office) -> None:
    first = desk(name="n")
    await office.references.create(first, attached(first))
    second = desk(name="n", person_id=first.person_id)
    with pytest.raises(DuplicateKey) as taken:
        await office.references.create(second, attached(second))
    assert taken.value.fields == ("personId", "name")
    assert await office.row(second) is None


async def test_of_two_at_once_one_gets_it(office: Office) -> None:
    person = new_id()
    many = [desk(name="n", person_id=person) for _ in range(5)]
    results = await asyncio.gather(
        *(office.references.create(one, attached(one)) for one in many), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Desk", *["DuplicateKey"] * 4]
    assert await office.store.collection(Desk).count({}) == 1
    assert await office.intents() == []


async def test_of_two_with_the_same_id_one_is_created(office: Office) -> None:
    same = new_id()
    many = [desk(id=same, created_at=NOW.replace(second=second)) for second in range(3)]
    results = await asyncio.gather(
        *(office.references.create(one, attached(one)) for one in many), return_exceptions=True
    )
    taken = [result for result in results if isinstance(result, DuplicateKey)]
    assert [one.fields for one in taken] == [("_id",), ("_id",)]
    assert await office.store.collection(Desk).count({}) == 1


async def test_of_two_with_the_same_id_the_other_is_never_told_that_it_is_its_own(
    office: Office, faults: Faults
) -> None:
    same = new_id()
    many = [desk(id=same, name=name) for name in ("a", "b")]
    collision = faults.add("hold", "find_one", "desks")
    creating = [asyncio.create_task(office.references.create(one, attached(one))) for one in many]
    await collision.gate.reached.wait()
    await asyncio.wait(creating, return_when=asyncio.FIRST_COMPLETED)
    collision.gate.open()
    results = await asyncio.gather(*creating, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Desk", "DuplicateKey"]


async def test_removal_leaves_the_intent_of_another_with_the_same_id(office: Office, faults: Faults) -> None:
    same = new_id()
    first, second = desk(id=same, name="a"), desk(id=same, name="b")
    faults.add("refuse", "update_many", "desks")
    commit = faults.add("hold", "update_many", "desks")
    unsure = faults.add("hold", "delete_one", "desks")
    tasks = [asyncio.create_task(office.references.create(first, attached(first)))]
    await unsure.gate.reached.wait()
    await office.store.rows("desks").delete_many({"_id": same})
    tasks.append(asyncio.create_task(office.again().references.create(second, attached(second))))
    await commit.gate.reached.wait()
    (intent,) = await office.intents()
    unsure.gate.open()
    with pytest.raises(DuplicateKey):
        await tasks[0]
    row = await office.row(second)
    assert row is not None
    assert row["_token"] == intent["_token"]
    commit.gate.open()
    assert await tasks[1] == second


async def test_intent_of_somebody_who_is_gone_is_helped_to_its_end(office: Office) -> None:
    first, second = await _intent_of_somebody(office)
    with pytest.raises(DuplicateKey):
        await office.references.create(second, attached(second))
    assert await office.store.collection(Desk).get(first.id) is not None


async def test_intent_whose_parent_is_closed_is_removed_by_the_helper(office: Office) -> None:
    first, second = await _intent_of_somebody(office)
    await office.close(CARD, "cards", first.card_id)
    await office.references.create(second, attached(second))
    assert await office.row(first) is None
    assert await office.store.collection(Desk).get(second.id) is not None


async def test_after_its_time_an_intent_is_answered_with_retry_after(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_recovery, "HELP_S", 0.0)
    _, second = await _intent_of_somebody(office)
    with pytest.raises(AlreadyExists) as refused:
        await office.references.create(second, attached(second))
    assert refused.value.headers["Retry-After"] == "1"
    assert [error.pointer for error in refused.value.errors] == ["/name"]


@pytest.mark.parametrize("way", ["update", "update_and_get", "bulk_update", "replace"])
async def test_plain_update_that_meets_an_intent_is_answered_with_retry_after(office: Office, way: str) -> None:
    first, second = await _intent_of_somebody(office)
    wanted = second.model_copy(update={"name": "m"})
    await office.references.create(wanted, attached(wanted))
    desks = office.store.collection(Desk)
    where, update = {"_id": wanted.id}, {"$set": {"name": "n"}}
    ways: dict[str, Callable[[], Awaitable[Any]]] = {
        "update": lambda: desks.update(where, update),
        "update_and_get": lambda: desks.update_and_get(where, update),
        "bulk_update": lambda: desks.bulk_update([(where, update)]),
        "replace": lambda: desks.replace(where, second),
    }
    with pytest.raises(AlreadyExists) as refused:
        await ways[way]()
    assert refused.value.headers["Retry-After"] == "1"
    assert [error.pointer for error in refused.value.errors] == ["/name"]
    await office.store.rows("desks").update_one({"_id": first.id}, {"$unset": {"_intent": ""}})
    with pytest.raises(DuplicateKey) as taken:
        await ways[way]()
    assert taken.value.fields == ("personId", "name")


class TestUndeclaredIndex:
    async def test_change_that_breaks_it_is_refused(self, office: Office, undeclared: Desk) -> None:
        office.faults.calls.clear()
        with pytest.raises(DuplicateKey):
            await _rename(office, undeclared)
        assert office.faults.count("bulk_write", "desks") == 2 + change_recovery.COLLISIONS_MAX
        assert await office.intents() == []

    async def test_change_whose_client_has_left_ends(
        self, office: Office, undeclared: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(change_recovery, "COLLISIONS_MAX", 10_000)
        looking = office.faults.add("hold", "find_one", "desks")
        changing = asyncio.create_task(_rename(office, undeclared))
        await looking.gate.reached.wait()
        changing.cancel()
        await asyncio.wait([changing])
        looking.gate.open()
        async with asyncio.timeout(5):
            while await office.intents():
                await asyncio.sleep(0.01)

    @pytest.fixture
    async def undeclared(self, office: Office) -> Desk:
        """A desk, beside another with the name "taken", in a store where names are unique over all persons."""
        made = [desk(name="taken"), desk(name="free")]
        for one in made:
            await office.references.create(one, attached(one))
        await office.store.prepare([DeskOfOldIndex])
        return made[1]


async def test_many_at_once_give_each_its_own_answer(office: Office) -> None:
    person = new_id()
    many = [desk(name=name, person_id=person) for name in ("a", "b", "a")]
    many.append(desk(person_id=person, name="c", door="99"))
    given = Attached([one for each in many for one in attached(each).references])
    results = await office.references.create_many(many, given)
    assert [type(result) for result in results] == [Desk, Desk, AlreadyExists, ReferenceNotFound]


async def _rename(office: Office, one: Desk) -> Desk | None:
    changed = one.model_copy(update={"card_id": new_id()})
    return await office.references.change(one, {"name": "taken", "cardId": changed.card_id}, attached=attached(changed))


async def _intent_of_somebody(office: Office) -> tuple[Desk, Desk]:
    """An intent whose maker died before its commit, and a desk that wants its name."""
    first = desk(name="n")
    commit = office.faults.add("refuse", "update_many", "desks", times=99)
    removal = office.faults.add("refuse", "delete_one", "desks", times=99)
    with pytest.raises(Unavailable):
        await office.references.create(first, attached(first))
    commit.times = removal.times = 0
    assert [row["_id"] for row in await office.intents()] == [first.id]
    return first, desk(name="n", person_id=first.person_id)
