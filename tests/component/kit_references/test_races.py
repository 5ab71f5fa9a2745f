"""Creates and changes racing a delete of their parent, over lost answers and late messages; and proof that the search
can fail: with a protection off it finds what that protection is for."""

from collections.abc import Awaitable, Callable

import pytest
from delete_world import World

from kit.references import create_recovery, creating, works
from kit.references.changing import Change
from kit.references.closures import Closures
from kit.store.hidden import INTENT

pytestmark = pytest.mark.anyio

Race = Callable[..., Awaitable[list[str]]]

SEEDS = 40
SEARCHED = 400


async def creates(seed: int, rule: str, *, losses: int = 2, skip: frozenset[str] = frozenset()) -> list[str]:
    world = await World(seed, rule=rule, losses=losses, skip=skip).start()
    creators = [world.creator(number % 2, name) for number, name in enumerate(("a", "b", "a", "c"))]
    return await world.run(*creators, world.coordinator(), world.coordinator())


async def changes(seed: int, rule: str, *, losses: int = 2, skip: frozenset[str] = frozenset()) -> list[str]:
    world = await World(seed, rule=rule, losses=losses, skip=skip).start()
    one, other = await world.stored("a"), await world.stored("b")
    starters = [world.starter(0, one, "x"), world.starter(1, one, "y"), world.starter(1, other, "z")]
    return await world.run(*starters, world.coordinator(), world.coordinator())


@pytest.mark.parametrize("race", [creates, changes])
@pytest.mark.parametrize("rule", ["cascade", "restrict"])
async def test_whatever_the_order_nothing_dangles_and_every_answer_is_true(race: Race, rule: str) -> None:
    for seed in range(SEEDS):
        assert await race(seed, rule) == [], f"seed {seed}"


async def found(race: Race, rule: str, wanted: str, **options: object) -> bool:
    """Whether a violation is found in one of SEARCHED schedules."""
    for seed in range(SEARCHED):
        if wanted in await race(seed, rule, **options):
            return True
    return False


DANGLING = "live child of a gone parent"
LOST = "an acknowledged write is lost"


def everything_is_open(self: Closures, batch: list[works.Work]) -> None:
    for item in batch:
        item.opened()


class TestProtections:
    async def test_look_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def look(self: Closures, batch: list[works.Work]) -> None:
            everything_is_open(self, batch)

        monkeypatch.setattr(Closures, "_look", look)
        assert await found(creates, "cascade", DANGLING)

    async def test_voiding(self) -> None:
        assert await found(creates, "cascade", DANGLING, skip=frozenset({"void"}))

    async def test_reopening_by_newer_epochs_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def reopen(self: Closures, key: str, epoch: int) -> bool:
            return await self._rows.update_one({"_id": key}, {"$set": {"closed": False}})

        monkeypatch.setattr(works, "_is_outdated", lambda closed, epochs: True)
        monkeypatch.setattr(Closures, "reopen", reopen)
        assert await found(creates, "cascade", DANGLING)

    async def test_looking_which_are_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def committed(self: creating.Creator, batch: list[creating.Create], session: object) -> object:
            return {(work.id, work.token) for work in batch}

        monkeypatch.setattr(creating.Creator, "_committed", committed)
        assert await found(creates, "cascade", LOST)

    async def test_helper_looks_before_it_commits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def finish(rows: object, closures: Closures, other: dict[str, object]) -> bool:
            where = {"_id": other["_id"], f"{INTENT}.kind": "create"}
            return await closures._store.rows("desks").update_one(where, creating.COMMIT)

        monkeypatch.setattr(create_recovery, "finish_create", finish)
        assert await found(creates, "cascade", DANGLING, losses=4)

    async def test_slot_of_a_change(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Change, "barred", lambda self, closures: self.opened())
        assert await found(changes, "cascade", "a busy child was removed")
