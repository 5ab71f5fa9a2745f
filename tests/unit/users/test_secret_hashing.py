"""Hashes are argon2id, made off the event loop, a bounded number at a time."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from kit.problems import Unavailable
from users.adapters.secret_hashing import HashingCost, SecretHasher

COST = HashingCost(memory_kib=7168, iterations=5, lanes=1, running_max=2, waiting_max=4)


@pytest.fixture
def hasher() -> Iterator[SecretHasher]:
    hasher = SecretHasher(COST)
    yield hasher
    hasher.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_secret_verifies_and_another_does_not(hasher: SecretHasher) -> None:
    encoded = await hasher.hash("correct horse")
    assert encoded.startswith("$argon2id$")
    assert "correct" not in encoded
    assert await hasher.verify(encoded, "correct horse")
    assert not await hasher.verify(encoded, "correct house")


@pytest.mark.anyio
async def test_same_secret_never_gives_the_same_hash(hasher: SecretHasher) -> None:
    assert await hasher.hash("one") != await hasher.hash("one")


@pytest.mark.anyio
@pytest.mark.parametrize("secret", ["x", "a secret that nobody has"])
async def test_absent_hash_never_verifies(hasher: SecretHasher, secret: str) -> None:
    assert not await hasher.verify(None, secret)


@pytest.mark.anyio
async def test_absent_hash_costs_as_much_as_a_wrong_secret(hasher: SecretHasher) -> None:
    encoded = await hasher.hash("correct horse")
    spent: dict[str | None, float] = {encoded: 0.0, None: 0.0}
    for _ in range(5):
        for known in spent:
            started = time.perf_counter()
            await hasher.verify(known, "wrong")
            spent[known] += time.perf_counter() - started
    assert spent[None] > spent[encoded] / 3


@pytest.mark.anyio
async def test_broken_hash_never_verifies(hasher: SecretHasher) -> None:
    assert not await hasher.verify("$argon2id$broken", "x")


@pytest.mark.anyio
async def test_event_loop_stays_free_while_hashes_run(hasher: SecretHasher) -> None:
    running = [asyncio.create_task(hasher.hash("x")) for _ in range(4)]
    turns = 0
    while not all(task.done() for task in running):
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 5


@pytest.mark.anyio
async def test_more_than_may_wait_are_refused_and_later_ones_are_taken_again(hasher: SecretHasher) -> None:
    running = [asyncio.create_task(hasher.hash("x")) for _ in range(COST.running_max + COST.waiting_max)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await hasher.hash("one too many")
    await asyncio.gather(*running)
    assert await hasher.hash("x")


@pytest.mark.anyio
async def test_hash_of_other_parameters_is_outdated(hasher: SecretHasher) -> None:
    other = SecretHasher(HashingCost(memory_kib=9216, iterations=4, lanes=1, running_max=1, waiting_max=0))
    encoded = await other.hash("x")
    other.close()
    assert hasher.is_outdated(encoded)
    assert not hasher.is_outdated(await hasher.hash("x"))
    assert await hasher.verify(encoded, "x")
