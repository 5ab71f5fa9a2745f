"""One id as a model: whoever creates a document by it, whose messages may be lost or late and whose process may die
and begin anew; whoever deletes the document; whoever helps an intent to its end; and the reaper.

Each name in `MUTANTS` is a protection that can be switched off.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from explore import Model

RETURNED = "a document that was deleted is there again"
UNTRUE = "an acknowledged create never was a document"

MUTANTS: dict[str, str] = {
    "intent": RETURNED,  # what refers to nothing is inserted plainly
    "own_closed": RETURNED,  # the delete leaves no closure of the id
    "closed_first": RETURNED,  # the document is removed, then its id closed
    "creator_looks": RETURNED,  # the creator commits without a look
    "helper_looks": RETURNED,  # the helper commits without a look
    "token": RETURNED,  # a commit takes whatever intent has the id
    "settled": UNTRUE,  # a commit whose answer was lost is taken for done
}
SENDINGS_MAX = 3

Kind = Literal["insert", "commit"]
Message = tuple[Kind, int]


@dataclass(frozen=True)
class Row:
    what: Literal["intent", "document", "purging"]
    token: int


@dataclass(frozen=True)
class State:
    """`late` are messages that may still be executed; `sent` is the last token; `seen` what the helper read."""

    row: Row | None = None
    closed: bool = False
    late: frozenset[Message] = frozenset()
    creator: str = "insert"
    sent: int = 1
    deleter: str = "purge"
    seen: int = 0
    crashes: int = 1
    was_there: bool = False
    returned: bool = False
    untrue: bool = False


def return_model(off: frozenset[str] = frozenset()) -> Model[State]:
    def steps(state: State) -> Iterator[tuple[str, State]]:
        yield from _creator(state, off)
        yield from _deleter(state, off)
        yield from _helper(state, off)
        yield from _network(state, off)
        if state.row is not None and state.row.what == "intent":
            yield "the reaper removes the intent", replace(state, row=None)
        if state.crashes and state.sent < SENDINGS_MAX and not _is_told(state):
            dead = replace(state, crashes=state.crashes - 1, creator="insert", sent=state.sent + 1)
            yield "crash of the creator, and its retry", dead

    def is_good(state: State) -> bool:
        is_at_rest = _is_told(state) and state.deleter in ("purge", "done") and not state.late
        return is_at_rest and (state.row is None or state.row.what == "document")

    return Model(State(), steps, _violations, is_good)


def _violations(state: State) -> Iterable[str]:
    if state.returned:
        yield RETURNED
    if state.untrue:
        yield UNTRUE


def _is_told(state: State) -> bool:
    return state.creator in ("created", "deleted", "uncertain")


def _executed(state: State, message: Message, off: frozenset[str]) -> State:
    """In the store, by (`_id`, token)."""
    kind, token = message
    if kind == "insert":
        if state.row is not None:
            return state
        return _as_document(state, token) if "intent" in off else replace(state, row=Row("intent", token))
    is_there = state.row is not None and state.row.what == "intent"
    is_its_own = state.row is not None and (state.row.token == token or "token" in off)
    return _as_document(state, token) if is_there and is_its_own else state


def _as_document(state: State, token: int) -> State:
    returned = state.returned or state.deleter == "done"
    return replace(state, row=Row("document", token), was_there=True, returned=returned)


def _sendings(state: State, message: Message, off: frozenset[str]) -> Iterator[tuple[str, State, bool]]:
    """Executed and answered, executed and the answer lost, late: what is known then."""
    kind, token = message
    after = _executed(state, message, off)
    yield f"{kind} {token} is answered", after, True
    yield f"{kind} {token} is executed, its answer lost", after, False
    yield f"{kind} {token} is late", replace(state, late=state.late | {message}), False


def _network(state: State, off: frozenset[str]) -> Iterator[tuple[str, State]]:
    for message in state.late:
        waiting = replace(state, late=state.late - {message})
        yield f"late {message[0]} {message[1]} is executed", _executed(waiting, message, off)
        yield f"late {message[0]} {message[1]} is lost", waiting


def _creator(state: State, off: frozenset[str]) -> Iterator[tuple[str, State]]:
    if state.creator == "insert":
        yield from _inserting(state, off)
    elif state.creator == "collided":
        yield "creator looks at what has its id", _collided(state, off)
    elif state.creator == "look":
        is_open = not state.closed or "creator_looks" in off
        yield "creator looks", replace(state, creator="commit" if is_open else "remove")
    elif state.creator == "remove":
        yield "creator removes its intent", replace(_without_intent(state, state.sent), creator="deleted")
    elif state.creator == "commit":
        yield from _committing(state, off)
    elif state.creator == "settle":
        settled = _without_intent(state, state.sent)
        if settled.row is not None and settled.row.what != "intent":
            yield "creator finds its document", _acknowledged(settled)
        else:
            yield "creator finds none", _send_again(settled, off)


def _inserting(state: State, off: frozenset[str]) -> Iterator[tuple[str, State]]:
    for label, after, is_known in _sendings(state, ("insert", state.sent), off):
        if not is_known:
            yield label, replace(after, creator="settle")
        elif state.row is None:
            yield label, replace(after, creator="created" if "intent" in off else "look")
        else:
            yield label, replace(after, creator="collided")


def _committing(state: State, off: frozenset[str]) -> Iterator[tuple[str, State]]:
    for label, after, is_known in _sendings(state, ("commit", state.sent), off):
        is_its_own = after.row is not None and after.row.what != "intent" and after.row.token == state.sent
        if (is_known and is_its_own) or (not is_known and "settled" in off):
            yield label, _acknowledged(after)
        else:
            yield label, replace(after, creator="settle")


def _collided(state: State, off: frozenset[str]) -> State:
    """A document of this id is an earlier sending's; an intent is helped to its end."""
    if state.row is None:
        return replace(state, creator="insert")
    if state.row.what != "intent":
        return _acknowledged(state)
    return _send_again(_without_intent(state, state.row.token), off)


def _send_again(state: State, off: frozenset[str]) -> State:
    if state.closed and "creator_looks" not in off:
        return replace(state, creator="deleted")
    if state.sent >= SENDINGS_MAX:
        return replace(state, creator="uncertain")
    return replace(state, creator="insert", sent=state.sent + 1)


def _without_intent(state: State, token: int) -> State:
    return replace(state, row=None) if state.row == Row("intent", token) else state


def _acknowledged(state: State) -> State:
    return replace(state, creator="created", untrue=state.untrue or not state.was_there)


def _deleter(state: State, off: frozenset[str]) -> Iterator[tuple[str, State]]:
    row = state.row
    late_closure = "closed_first" in off
    if state.deleter == "purge" and row is not None and row.what == "document":
        following = "remove" if late_closure else "close"
        yield "delete is decided", replace(state, row=Row("purging", row.token), deleter=following)
    elif state.deleter == "close":
        following = "done" if late_closure else "remove"
        yield "id is closed", replace(state, closed="own_closed" not in off, deleter=following)
    elif state.deleter == "remove":
        yield "document is removed", replace(state, row=None, deleter="close_late" if late_closure else "done")
    elif state.deleter == "close_late":
        yield "id is closed", replace(state, closed=True, deleter="done")


def _helper(state: State, off: frozenset[str]) -> Iterator[tuple[str, State]]:
    """Somebody whose value the intent holds: looks, then commits or removes by the token that he read."""
    if state.seen:
        helped = _executed(state, ("commit", state.seen), off)
        yield f"helper commits {state.seen}", replace(helped, seen=0)
    elif state.row is not None and state.row.what == "intent":
        if state.closed and "helper_looks" not in off:
            yield "helper removes the intent", _without_intent(state, state.row.token)
        else:
            yield "helper finds it open", replace(state, seen=state.row.token)
