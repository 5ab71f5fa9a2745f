"""Children's children first: what refers to other children goes before them, so that nothing waits for itself."""

from collections.abc import Iterable, Mapping, Sequence

from gateway.deletion.steps import Referring


def leaves_first(relationships: Sequence[Referring], refers_to: Mapping[str, Iterable[str]]) -> list[Referring]:
    """`refers_to` has, by entity, the entities that it refers to. Without circles among the children the order is
    right; where there is one, it is one with SET_NULL, and any order is."""
    by_child: dict[str, list[Referring]] = {}
    for one in sorted(relationships, key=lambda one: one.relationship):
        by_child.setdefault(one.child, []).append(one)
    referred: dict[str, set[str]] = {child: set() for child in by_child}
    for child in by_child:
        for parent in _reachable(child, refers_to):
            if parent in by_child and parent != child:
                referred[parent].add(child)
    ordered: list[Referring] = []
    placed: set[str] = set()

    def place(child: str) -> None:
        if child in placed:
            return
        placed.add(child)
        for earlier in sorted(referred[child]):
            place(earlier)
        ordered.extend(by_child[child])

    for child in by_child:
        place(child)
    return ordered


def _reachable(entity: str, refers_to: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [entity]
    while waiting:
        for parent in refers_to.get(waiting.pop(), ()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found
