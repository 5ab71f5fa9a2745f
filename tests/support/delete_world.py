"""A parent that is deleted while its children are created and changed: the real guarded writes of several replicas, a
coordinator that does what a delete does, lost answers, late messages and a reaper, all scheduled from one seed.

The parent's own service is a few variables here; what is under test is the child's side."""

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from mock_store import Fault, Faults, FaultyMotor, mock_motor
from office import NOW, PERSON, Desk, Office, attached, desk

from kit.clock import FixedClock
from kit.context import ValidatedReference
from kit.ids import new_id
from kit.problems import NotFound, ReferenceClosed, Unavailable
from kit.references.attached import Attached
from kit.references.reaper import SEEN_TWICE_AFTER_S
from kit.store import DuplicateKey, StoreClient

TRIES = 3
BUSY = {"state": "busy"}


class Chaos(Faults):
    """Each operation on the desks may be lost or late, with a small probability."""

    def __init__(self, seed: int, *, losses: int) -> None:
        super().__init__(seed)
        self.losses = losses

    async def run(self, operation: str, collection: str, execute: Any, execute_late: Any = None) -> Any:
        if self._random.random() < 0.2:  # a slow one
            for _ in range(self._random.randint(0, 80)):
                await asyncio.sleep(0)
        writes = operation in ("insert_many", "update_many", "update_one", "bulk_write", "delete_one")
        if self.losses and collection == "desks" and writes and self._random.random() < 0.15:
            self.losses -= 1
            self.rules.append(Fault(self._random.choice(["lose", "late"]), operation, collection))
        return await super().run(operation, collection, execute, execute_late)


@dataclass
class Parent:
    id: str = field(default_factory=new_id)
    state: str = "active"
    epoch: int = 0


@dataclass
class Outcome:
    """What a client was told of its create or its change: "ok", "refused", "failed" (503) or "moved"."""

    desk: Desk
    starter: str | None = None
    said: str = "nothing"


class World:
    def __init__(self, seed: int, *, rule: str, losses: int = 2, skip: frozenset[str] = frozenset()) -> None:
        self._random = random.Random(seed)
        self.rule = rule
        self.skip = skip
        self.parent = Parent()
        self.clock = FixedClock(NOW)
        motor = mock_motor()
        self.chaos = [Chaos(seed * 2 + replica, losses=losses) for replica in range(2)]
        self.replicas = [
            Office(StoreClient.from_motor(FaultyMotor(one, motor)), faults=one, clock=self.clock) for one in self.chaos
        ]
        self.owner = Office(StoreClient.from_motor(FaultyMotor(Faults(seed + 1), motor)), clock=self.clock)
        self.outcomes: list[Outcome] = []
        self.cut: set[str] = set()
        self.cut_busy = False
        self.refused_at = self.purged_at = -1

    async def start(self) -> "World":
        await self.owner.start()
        return self

    async def run(self, *actors: Awaitable[None]) -> list[str]:
        """Runs the actors to their end, heals, and names what is wrong."""
        async with asyncio.timeout(60):
            await asyncio.gather(*actors, self._network())
            await self._heal()
        return [wrong async for wrong in self._violations()]

    # Children

    async def creator(self, replica: int, name: str) -> None:
        """Begins with an answer that it kept, epoch 0; after a refusal it validates live, as the gateway does."""
        await self._pause()
        one = desk(person_id=self.parent.id, name=name)
        outcome = Outcome(one)
        self.outcomes.append(outcome)
        epoch: int | None = 0
        for _ in range(TRIES):
            try:
                await self.replicas[replica].references.create(one, attached(one, epoch=epoch or 0))
                outcome.said = "ok"
            except ReferenceClosed:
                epoch = await self._validate()
                outcome.said = "refused"
                if epoch is not None:
                    continue
            except DuplicateKey as taken:
                outcome.said = "refused" if taken.fields != ("_id",) else "ok"
            except Unavailable:
                outcome.said = "failed"
            return

    async def stored(self, name: str) -> Desk:
        """A desk that was there before."""
        one = desk(person_id=self.parent.id, name=name)
        await self.owner.references.create(one, attached(one))
        return one

    async def starter(self, replica: int, one: Desk, name: str) -> None:
        """Makes `restrict_if` true, and leaves its name."""
        await self._pause()
        given = Attached()
        outcome = Outcome(one, name)
        self.outcomes.append(outcome)
        for _ in range(TRIES):
            try:
                changed = await self.replicas[replica].references.change(
                    one, {**BUSY, "strategy": {"by": name}}, attached=given
                )
                outcome.said = "moved" if changed is None else "ok"
            except ReferenceClosed:
                epoch = await self._validate()
                outcome.said = "refused"
                if epoch is not None:
                    given = Attached([ValidatedReference(PERSON, "people", self.parent.id, epoch)])
                    continue
            except NotFound:
                outcome.said = "refused"
            except Unavailable:
                outcome.said = "failed"
            return

    async def _validate(self) -> int | None:
        await self._pause()
        return self.parent.epoch if self.parent.state == "active" else None

    # The delete of the parent

    async def coordinator(self) -> None:
        await self._pause()
        if self.parent.state != "active":
            return
        self.parent.state, self.parent.epoch = "deleting", self.parent.epoch + 1
        epoch = self.parent.epoch
        await self.owner.close(PERSON, "people", self.parent.id, epoch=epoch)
        while "void" not in self.skip and await self.owner.void(PERSON, "people", self.parent.id):
            pass
        if await self._blocked():
            self.parent.state, self.parent.epoch, self.refused_at = "active", epoch + 1, epoch
            return
        self.parent.state, self.purged_at = "purging", epoch
        await self._apply()
        self.parent.state = "gone"

    async def _blocked(self) -> bool:
        where = {"personId": self.parent.id, "_intent.kind": {"$nin": ["create"]}}
        if self.rule == "cascade":
            where |= BUSY
        return await self.owner.store.rows("desks").find_one(where) is not None

    async def _apply(self) -> None:
        rows = self.owner.store.rows("desks")
        where = {"personId": self.parent.id, "_intent.kind": {"$nin": ["create"]}}
        for found in await rows.find(where, limit=100):
            row = await rows.find_one({"_id": found["_id"], **where})  # as it is when it goes
            if row is not None and await rows.delete_one({"_id": row["_id"], **where}):
                self.cut.add(row["_id"])
                self.cut_busy |= row["state"] == "busy"

    # Network, healing, judgement

    async def _network(self) -> None:
        for _ in range(20):
            await self._pause()
            await self._random.choice(self.chaos).deliver()

    async def _heal(self) -> None:
        for chaos in self.chaos:
            chaos.losses, chaos.rules = 0, []
            await chaos.deliver()
        for replica in self.replicas:
            await replica.references.stop()
        reaper = self.owner.references.reaper
        await reaper.sweep()
        self.clock.advance(SEEN_TWICE_AFTER_S)
        await reaper.sweep()

    async def _violations(self) -> Any:
        rows = {row["_id"]: row for row in await self.owner.store.rows("desks").find({}, limit=100)}
        if any("_intent" in row for row in rows.values()):
            yield "an intent is left over"
        if self.parent.state == "gone" and rows:
            yield "live child of a gone parent"
        if self.cut_busy:
            yield "a busy child was removed"
        for outcome in self.outcomes:
            row = rows.get(outcome.desk.id)
            there = row is not None and outcome.starter in (None, row["strategy"].get("by"))
            if outcome.said == "ok" and not there and outcome.desk.id not in self.cut:
                yield "an acknowledged write is lost"
            if outcome.said in ("refused", "moved") and there:
                yield "a refused write is there"

    async def _pause(self) -> None:
        for _ in range(self._random.randint(0, 60)):
            await asyncio.sleep(0)
