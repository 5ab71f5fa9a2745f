"""Every interleaving of a finite model, breadth first.

A model is its initial state (hashable), `steps(state)` that yields (label, next state), `violations(state)` that
yields the names of broken invariants, and `is_good(state)`: at rest and healed. From every state the actors' own
steps must lead to a good one; steps whose label begins with "crash" are nobody's help. A state that only they could
heal is "stuck"."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)

STUCK = "stuck"
STATES_MAX = 500_000


@dataclass(frozen=True)
class Model(Generic[S]):
    initial: S
    steps: Callable[[S], Iterable[tuple[str, S]]]
    violations: Callable[[S], Iterable[str]]
    is_good: Callable[[S], bool]


@dataclass(frozen=True)
class Verdict:
    """`traces`: for each violation the labels of a shortest way there."""

    states: int
    traces: dict[str, list[str]] = field(default_factory=dict)


def explore(model: Model[S], *, until_any: bool = False) -> Verdict:
    """All states; with `until_any` it stops at the first violation."""
    index: dict[S, int] = {model.initial: 0}
    order, origin = [model.initial], [(-1, "")]
    helped_from: list[list[int]] = [[]]
    found: dict[str, int] = {}
    at = 0
    while at < len(order):
        for name in model.violations(order[at]):
            found.setdefault(name, at)
        if found and until_any:
            break
        for label, following in model.steps(order[at]):
            to = index.setdefault(following, len(order))
            if to == len(order):
                order.append(following)
                origin.append((at, label))
                helped_from.append([])
                if to >= STATES_MAX:
                    raise RuntimeError(f"more than {STATES_MAX} states: choose smaller bounds")
            if not label.startswith("crash"):
                helped_from[to].append(at)
        at += 1
    else:
        healed = _backwards(helped_from, [at for at, state in enumerate(order) if model.is_good(state)])
        stuck = next((at for at, is_healed in enumerate(healed) if not is_healed), None)
        if stuck is not None:
            found[STUCK] = stuck
    return Verdict(len(order), {name: _trace(origin, at) for name, at in found.items()})


def _backwards(helped_from: list[list[int]], goals: list[int]) -> bytearray:
    reached, todo = bytearray(len(helped_from)), deque(goals)
    for at in goals:
        reached[at] = 1
    while todo:
        for before in helped_from[todo.popleft()]:
            if not reached[before]:
                reached[before] = 1
                todo.append(before)
    return reached


def _trace(origin: list[tuple[int, str]], at: int) -> list[str]:
    labels: list[str] = []
    while at > 0:
        at, label = origin[at]
        labels.append(label)
    return labels[::-1]
