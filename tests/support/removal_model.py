"""The removal and the return of a relationship as a model: two operators who remove it, one who restores it, and a
writer, at each step of the others. Every operator may die at any step and begin anew.

Each name in `MUTANTS` is a protection that can be switched off.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from explore import Model

UNGUARDED = "a child was committed while its relationship was removed"
OPEN = "a removed relationship was left open"

MUTANTS: dict[str, str] = {
    "star_first": UNGUARDED,  # marks it removed, then closes
    "star_voids": UNGUARDED,  # what was under way when it was closed goes on
    "star_looked_up": UNGUARDED,  # writers do not look
    "registers_first": UNGUARDED,  # opens, then registers
    "owner_compares": OPEN,  # an earlier removal is marked after a later return
    "child_compares": OPEN,  # a return opens what was closed again
}

Name = Literal["remover", "other", "restorer", "writer"]


@dataclass(frozen=True)
class Actor:
    step: str
    number: int = 0


@dataclass(frozen=True)
class State:
    closed: bool = False
    closings: int = 0
    registered: bool = True
    removed_by: int = 0
    restored_by: int = -1
    intent: bool = False
    remover: Actor = Actor("close")
    other: Actor = Actor("close")
    restorer: Actor = Actor("look")
    writer: Actor = Actor("validate")
    crashes: int = 1
    unguarded: bool = False

    def moved(self, name: Name, step: str, number: int | None = None, **changes: object) -> "State":
        before: Actor = getattr(self, name)
        after = Actor(step, before.number if number is None else number)
        return replace(self, **{name: after, **changes})  # type: ignore[arg-type]  # the fields are those named above


ENDED = ("done", "overtaken")


def removal_model(off: frozenset[str] = frozenset(), *, removed: bool = False) -> Model[State]:
    """`removed`: it is so at first."""
    initial = State(closed=True, closings=1, registered=False, removed_by=1) if removed else State()

    def steps(state: State) -> Iterator[tuple[str, State]]:
        yield from _remover(state, "remover", off)
        yield from _remover(state, "other", off)
        yield from _restorer(state, off)
        yield from _writer(state, off)
        for name, first in (("remover", "close"), ("other", "close"), ("restorer", "look")):
            if state.crashes and getattr(state, name).step not in (first, *ENDED):
                yield f"crash {name}", replace(state, crashes=state.crashes - 1, **{name: Actor(first)})  # type: ignore[arg-type]

    return Model(initial, steps, _violations, lambda state: not _running(state) and not state.intent)


def _running(state: State) -> bool:
    return any(one.step not in ENDED for one in (state.remover, state.other, state.restorer, state.writer))


def _violations(state: State) -> Iterable[str]:
    if state.unguarded:
        yield UNGUARDED
    if not _running(state) and not state.registered and not state.closed:
        yield OPEN


def _remover(state: State, name: Literal["remover", "other"], off: frozenset[str]) -> Iterator[tuple[str, State]]:
    me: Actor = getattr(state, name)
    late = "star_first" in off
    if me.step == "close" and late:
        yield f"{name} marks it removed", _marked(state, name, state.closings + 1, "close_late", off)
    elif me.step in ("close", "close_late"):
        number = state.closings + 1
        following = "void_late" if me.step == "close_late" else "void"
        yield f"{name} closes", state.moved(name, following, number, closed=True, closings=number)
    elif me.step in ("void", "void_late"):
        intent = state.intent and "star_voids" in off
        following = "done" if me.step == "void_late" else "mark"
        yield f"{name} voids", state.moved(name, following, intent=intent)
    elif me.step == "mark":
        yield f"{name} marks it removed", _marked(state, name, me.number, "done", off)


def _marked(state: State, name: Literal["remover", "other"], number: int, done: str, off: frozenset[str]) -> State:
    if state.restored_by >= number and "owner_compares" not in off:
        return state.moved(name, "overtaken")
    return state.moved(name, done, registered=False, removed_by=max(state.removed_by, number))


def _restorer(state: State, off: frozenset[str]) -> Iterator[tuple[str, State]]:
    me = state.restorer
    early = "registers_first" in off
    if me.step == "look":
        yield "restorer looks", state.moved("restorer", "open" if early else "register", state.closings)
    elif me.step == "register":
        if not state.registered and state.removed_by > me.number and "owner_compares" not in off:
            yield "restorer is overtaken", state.moved("restorer", "overtaken")
        else:
            restored_by = max(state.restored_by, me.number)
            following = "done" if early else "open"
            yield "restorer registers", state.moved("restorer", following, registered=True, restored_by=restored_by)
    elif me.step == "open":
        if state.closed and state.closings != me.number and "child_compares" not in off:
            yield "restorer is overtaken", state.moved("restorer", "overtaken")
        else:
            yield "restorer opens", state.moved("restorer", "register" if early else "done", closed=False)


def _writer(state: State, off: frozenset[str]) -> Iterator[tuple[str, State]]:
    step = state.writer.step
    if step == "validate":
        yield "writer validates", state.moved("writer", "insert" if state.registered else "done")
    elif step == "insert":
        yield "writer inserts", state.moved("writer", "look", intent=True)
    elif step == "look":
        is_open = not state.closed or "star_looked_up" in off
        yield "writer looks", state.moved("writer", "commit" if is_open else "remove")
    elif step == "remove":
        yield "writer removes its intent", state.moved("writer", "done", intent=False)
    elif step == "commit":
        unguarded = state.unguarded or (state.intent and not state.registered)
        yield "writer commits", state.moved("writer", "done", intent=False, unguarded=unguarded)
