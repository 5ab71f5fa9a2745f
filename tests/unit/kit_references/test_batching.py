import asyncio
from collections.abc import Sequence

import pytest

from kit.batching import Batcher, Lane
from kit.problems import DeadlineExceeded, Unavailable

pytestmark = pytest.mark.anyio


class Recorder:
    """Doubles numbers; every batch waits until it is let go, if `held`."""

    def __init__(self, *, held: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.free = asyncio.Event()
        if not held:
            self.free.set()

    async def __call__(self, items: list[int]) -> Sequence[int | BaseException]:
        self.batches.append(items)
        await self.free.wait()
        return [ValueError(str(item)) if item < 0 else item * 2 for item in items]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_first_leaves_at_once_and_those_that_come_meanwhile_share_the_next() -> None:
    send = Recorder(held=True)
    batcher: Batcher[int, int] = Batcher(send)
    first = asyncio.create_task(batcher.submit(1))
    await settle()
    others = [asyncio.create_task(batcher.submit(number)) for number in (2, 3, 4)]
    await settle()
    assert send.batches == [[1]]
    send.free.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
    assert send.batches == [[1], [2, 3, 4]]


async def test_batch_has_a_greatest_size() -> None:
    send = Recorder()
    batcher: Batcher[int, int] = Batcher(send, size_max=2)
    assert await asyncio.gather(*(batcher.submit(number) for number in range(5))) == [0, 2, 4, 6, 8]
    assert [len(batch) for batch in send.batches] == [2, 2, 1]


async def test_error_goes_to_its_own_item() -> None:
    batcher: Batcher[int, int] = Batcher(Recorder())
    results = await asyncio.gather(*(batcher.submit(number) for number in (1, -1, 2)), return_exceptions=True)
    assert results[0] == 2
    assert isinstance(results[1], ValueError)
    assert results[2] == 4


async def test_failure_of_the_call_goes_to_all_of_its_batch_and_the_next_batch_runs() -> None:
    calls = 0

    async def send(items: list[int]) -> Sequence[int]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Unavailable
        return items

    batcher: Batcher[int, int] = Batcher(send, size_max=2)
    results = await asyncio.gather(*(batcher.submit(number) for number in (1, 2, 3)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable, Unavailable, int]


async def test_item_that_is_cancelled_before_its_batch_is_sent_leaves() -> None:
    send = Recorder(held=True)
    batcher: Batcher[int, int] = Batcher(send)
    first = asyncio.create_task(batcher.submit(1))
    await settle()
    leaver, stayer = asyncio.create_task(batcher.submit(2)), asyncio.create_task(batcher.submit(3))
    await settle()
    leaver.cancel()
    await settle()
    send.free.set()
    assert [await first, await stayer] == [2, 6]
    assert send.batches == [[1], [3]]


async def test_item_that_is_cancelled_after_its_batch_was_sent_stays_in_it() -> None:
    send = Recorder(held=True)
    batcher: Batcher[int, int] = Batcher(send)
    first = asyncio.create_task(batcher.submit(1))
    await settle()
    first.cancel()
    second = asyncio.create_task(batcher.submit(2))
    await settle()
    send.free.set()
    assert await second == 4
    assert send.batches == [[1], [2]]


async def test_batch_has_a_deadline() -> None:
    batcher: Batcher[int, int] = Batcher(Recorder(held=True), timeout_s=0.01)
    with pytest.raises(DeadlineExceeded):
        await batcher.submit(1)


async def test_wrong_number_of_results_is_an_error_not_somebody_elses_answer() -> None:
    async def send(items: list[int]) -> Sequence[int]:
        return items[:-1]

    batcher: Batcher[int, int] = Batcher(send)
    results = await asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True)
    assert all(isinstance(result, RuntimeError) for result in results)


async def test_too_many_that_wait_are_refused() -> None:
    batcher: Batcher[int, int] = Batcher(Recorder(held=True), waiting_max=1)
    waiting = [asyncio.create_task(batcher.submit(number)) for number in range(2)]
    await settle()
    third = asyncio.create_task(batcher.submit(3))
    await settle()
    with pytest.raises(Unavailable):
        await batcher.submit(4)
    for task in (*waiting, third):
        task.cancel()


async def test_lane_hands_the_error_to_each_item_of_the_batch() -> None:
    failed: list[tuple[int, str]] = []

    async def send(items: list[int]) -> None:
        raise ValueError(str(sum(items)))

    lane: Lane[int] = Lane(send, failed=lambda item, error: failed.append((item, str(error))))
    for number in (1, 2):
        lane.put(number)
    await settle()
    assert failed == [(1, "3"), (2, "3")]
