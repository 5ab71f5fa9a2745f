"""The ledger's own step functions as a model to explore: workers that read, read again and write, and crash in between.

What the store does (a read, a conditional update, a compare-and-set) is one step each; everything between is the
real code. Workers pick up any movement in any state, as a request, a retry or a sweeper would."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from explore import Model

from staking.domain.ledger import Movement, Place, Refusal, State
from staking.domain.ledger_accounts import Job, Outcome, Settled, Task, visit
from staking.domain.ledger_drive import TRANSITIONS, clean_places, hold_rounds, judge_holds, settle_places
from staking.domain.ledger_kinds import KindRules
from staking.domain.ledger_marks import Mark, Snapshot

NOW = datetime(2026, 11, 23, tzinfo=UTC)
VERSION, REREAD = "version", "re-read"


class Work(NamedTuple):
    """What one worker is at. `seen` and `read` are what it read of the document and of the movement; None: not yet."""

    movement: int
    task: Task
    at: int = 0
    believed: State = State.PENDING
    seen: Any = None
    read: State | None = None
    verdict: str = ""


class World(NamedTuple):
    documents: tuple[Any, ...]
    states: tuple[tuple[State, bool | None], ...]
    workers: tuple[Work | None, ...]
    crashes_left: int
    entries: frozenset[tuple[int, int, int]] = frozenset()  # (document, sequence, running balance)


@dataclass(frozen=True)
class Scenario:
    """`without` are protections that are taken away."""

    rules: dict[str, KindRules]
    documents: tuple[Snapshot, ...]
    movements: tuple[Movement, ...]
    posted_max: int
    crashes: int = 0
    workers: int = 2
    without: frozenset[str] = frozenset()


def freeze(snapshot: Snapshot) -> Hashable:
    marks = tuple(
        (
            id_,
            mark.phase,
            mark.since,
            tuple(mark.held.items()),
            mark.exclusive,
            mark.entries,
            tuple(mark.captured.items()),
        )
        for id_, mark in sorted(snapshot.marks.items())
    )
    return (snapshot.place, snapshot.version, tuple(sorted(snapshot.fields.items())), marks, snapshot.entry_count)


@cache
def thaw(frozen: Any) -> Snapshot:
    place, version, fields, marks, entry_count = frozen
    return Snapshot(
        place,
        version,
        dict(fields),
        {
            id_: Mark(phase, since, dict(held), exclusive, entries, dict(captured))
            for id_, phase, since, held, exclusive, entries, captured in marks
        },
        entry_count,
    )


def ledger_model(scenario: Scenario) -> Model[World]:
    return _LedgerModel(scenario).model()


class _LedgerModel:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.places = [document.place for document in scenario.documents]
        self.visited: dict[Hashable, tuple[Any, bool, Outcome]] = {}

    def model(self) -> Model[World]:
        initial = World(
            documents=tuple(freeze(document) for document in self.scenario.documents),
            states=tuple((State.PENDING, None) for _ in self.scenario.movements),
            workers=(None,) * self.scenario.workers,
            crashes_left=self.scenario.crashes,
        )
        return Model(initial, self.steps, self.violations, self.is_good)

    def steps(self, world: World) -> Iterator[tuple[str, World]]:
        for index, work in enumerate(world.workers):
            if work is None:
                yield from self._pick_up(world, index)
                continue
            yield self._step(world, index, work)
            if world.crashes_left:
                yield (
                    f"crash of worker {index}",
                    self._put(world, index, None)._replace(crashes_left=world.crashes_left - 1),
                )

    def _pick_up(self, world: World, index: int) -> Iterator[tuple[str, World]]:
        for number, (state, _) in enumerate(world.states):
            if state is State.DONE and not self._is_marked(world, number):
                continue
            yield f"worker {index} takes movement {number}", self._put(world, index, self._begin(world, number))

    def _begin(self, world: World, number: int) -> Work:
        state = world.states[number][0]
        task = {State.PENDING: Task.HOLD, State.DONE: Task.CLEAN}.get(state, Task.SETTLE)
        return Work(number, task, believed=state)

    def _step(self, world: World, index: int, work: Work) -> tuple[str, World]:
        name = f"worker {index} movement {work.movement} {work.task}"
        if work.verdict:
            return f"{name}: {work.verdict}", self._decide(world, index, work)
        places = self._places(work, world)
        if work.at == len(places):
            return f"{name}: all", self._after(world, index, work)
        document = self.places.index(places[work.at])
        if work.seen is None:
            return f"{name}: read {places[work.at]}", self._put(
                world, index, work._replace(seen=world.documents[document])
            )
        if work.read is None:
            state = work.believed if REREAD in self.scenario.without else world.states[work.movement][0]
            return f"{name}: movement is {state}", self._put(world, index, work._replace(read=state))
        return f"{name}: write {places[work.at]}", self._write(world, index, work, document)

    def _places(self, work: Work, world: World) -> tuple[Place, ...]:
        movement, posted = self.scenario.movements[work.movement], bool(world.states[work.movement][1])
        match work.task:
            case Task.HOLD:
                return tuple(place for round_ in hold_rounds(movement) for place in round_)
            case Task.SETTLE:
                return settle_places(self.scenario.rules, movement, posted=posted)
            case Task.CLEAN:
                return clean_places(self.scenario.rules, movement, posted=posted)

    def _write(self, world: World, index: int, work: Work, document: int) -> World:
        after, touched, outcome = self._visit(work, document)
        if touched:
            current = world.documents[document]
            if current[1] != work.seen[1] and VERSION not in self.scenario.without:
                return self._put(world, index, work._replace(seen=None, read=None))
            written = after if current[1] == work.seen[1] else self._overwritten(current, after)
            documents = (*world.documents[:document], written, *world.documents[document + 1 :])
            world = world._replace(documents=documents)
        return self._judge(world, index, work, document, outcome)

    @staticmethod
    def _overwritten(current: Any, after: Any) -> Any:
        return (after[0], current[1] + 1, *after[2:])

    def _visit(self, work: Work, document: int) -> tuple[Any, bool, Outcome]:
        key = (work.movement, work.task, work.read, work.seen)
        if key not in self.visited:
            movement = self.scenario.movements[work.movement]
            place = self.places[document]
            seen = visit(
                self.scenario.rules[place.kind],
                place,
                thaw(work.seen),
                jobs=[Job(work.task, movement)],
                states={movement.id: work.read or State.PENDING},
                now=NOW,
            )
            assert seen.after is not None
            after = replace(seen.after, version=seen.after.version + seen.touched)
            self.visited[key] = (freeze(after), seen.touched, seen.outcomes[0])
        return self.visited[key]

    def _judge(self, world: World, index: int, work: Work, document: int, outcome: Outcome) -> World:
        onward = work._replace(at=work.at + 1, seen=None, read=None)
        if work.task is Task.HOLD:
            verdict = judge_holds([outcome])
            if isinstance(verdict, Refusal):
                return self._put(world, index, onward._replace(verdict=State.REFUSED.value))
            return self._put(world, index, onward if verdict is None else None)
        if work.task is Task.SETTLE and not isinstance(outcome, Settled):
            return self._put(world, index, None)
        if isinstance(outcome, Settled):
            entries = {(document, entry.sequence, entry.running) for entry in outcome.entries}
            world = world._replace(entries=world.entries | entries)
        return self._put(world, index, onward)

    def _after(self, world: World, index: int, work: Work) -> World:
        match work.task:
            case Task.HOLD:
                return self._put(world, index, work._replace(verdict=State.POSTED.value))
            case Task.SETTLE:
                return self._put(world, index, work._replace(verdict=State.DONE.value))
            case Task.CLEAN:
                return self._put(world, index, None)

    def _decide(self, world: World, index: int, work: Work) -> World:
        """The compare-and-set on the movement; then on from where it stands."""
        state, posted = world.states[work.movement]
        wanted = State(work.verdict)
        if wanted in TRANSITIONS[state]:
            posted = posted if wanted is State.DONE else wanted is State.POSTED
            states = (*world.states[: work.movement], (wanted, posted), *world.states[work.movement + 1 :])
            world = world._replace(states=states)
        if world.states[work.movement][0] is State.DONE and not self._is_marked(world, work.movement):
            return self._put(world, index, None)
        return self._put(world, index, self._begin(world, work.movement))

    def _is_marked(self, world: World, number: int) -> bool:
        id_ = self.scenario.movements[number].id
        return any(mark[0] == id_ for document in world.documents for mark in document[3])

    @staticmethod
    def _put(world: World, index: int, work: Work | None) -> World:
        return world._replace(workers=(*world.workers[:index], work, *world.workers[index + 1 :]))

    def violations(self, world: World) -> Iterator[str]:
        for document in world.documents:
            rules = self.scenario.rules[document[0].kind]
            fields = dict(document[2])
            if any(fields.get(amount.name, 0) < amount.floor for amount in rules.amounts):
                yield "below zero"
        posted = [number for number, (_, is_posted) in enumerate(world.states) if is_posted]
        if len(posted) > self.scenario.posted_max:
            yield "too many posted"
        if self._is_at_rest(world):
            yield from self._sums(world, posted)

    def _sums(self, world: World, posted: list[int]) -> Iterator[str]:
        moved: dict[tuple[Place, str], int] = {}
        for number in posted:
            for leg in self.scenario.movements[number].legs:
                key = (leg.account.place, leg.account.field)
                moved[key] = moved.get(key, 0) + leg.amount
        for before, document in zip(self.scenario.documents, world.documents, strict=True):
            fields = dict(document[2])
            for amount in self.scenario.rules[before.place.kind].amounts:
                expected = before.amount(amount.name) + moved.get((before.place, amount.name), 0)
                if fields.get(amount.name, 0) != expected:
                    yield "sum broken"
        for index, document in enumerate(world.documents):
            sequences = sorted(sequence for at, sequence, _ in world.entries if at == index)
            if sequences != list(range(1, document[4] + 1)):
                yield "entries broken"

    def _is_at_rest(self, world: World) -> bool:
        return all(work is None for work in world.workers) and all(state is State.DONE for state, _ in world.states)

    def is_good(self, world: World) -> bool:
        return self._is_at_rest(world) and not any(document[3] for document in world.documents)
