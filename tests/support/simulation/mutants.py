"""The protocol with one protection off at a time. These exist in tests only: they replace functions of production."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import gateway.validation
from gateway.answers_cache import question_key
from gateway.deletion.core import Core, _Doomed
from gateway.deletion.sweeper import Sweeper
from gateway.registration import Registration
from kit.references import creating, works
from kit.references.changing import Change
from kit.references.closures import Closures
from kit.references.creating import Create, Creator
from kit.references.deletes.cascading import Cascade
from kit.references.deletes.closing import Closer
from kit.references.deletes.deletions import Deletions
from kit.references.deletes.parent_states import ParentAt, ParentState, Step
from kit.references.owner import LocalOwner
from kit.references.reaper import Reaper
from kit.routing import _Steps
from kit.store.hidden import CREATE, INTENT_KIND, TOKEN

Replaced = Sequence[tuple[Any, str, Any]]
INHERITED = object()


@contextmanager
def replaced(replacements: Replaced) -> Iterator[None]:
    before = [(owner, name, owner.__dict__.get(name, INHERITED)) for owner, name, _ in replacements]
    for owner, name, value in replacements:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            if value is INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


async def nothing(*_: Any, **__: Any) -> None:
    return None


# Closure, intent, token, voiding, conditional commit, epoch


async def _everything_is_open(self: Closures, batch: list[Any]) -> None:
    for item in batch:
        item.opened()


def _live_at_once(self: Create, token: str, now: Any) -> dict[str, Any]:
    self.sent_as(token)
    return {**self.base, TOKEN: token}


def _commits_of_any_token(batch: Sequence[Create]) -> list[Any]:
    where = {"_id": {"$in": [work.id for work in batch]}, INTENT_KIND: CREATE}
    return [(where, creating.COMMIT)]


async def _all_are_committed(self: Creator, batch: Sequence[Create], session: Any) -> set[tuple[str, str]]:
    return {(work.id, work.token) for work in batch}


async def _reopen_whatever_the_epoch(self: Closures, key: str, epoch: int) -> bool:
    return await self._rows.update_one({"_id": key}, {"$set": {"closed": False}})


# Purge, force, stored plan, healing


def _apply_first(self: Core, standing: Any) -> Generator[Any, Any, Any]:
    parents = ((standing.id, standing.epoch),)
    yield from self._close(standing.entity, parents, standing.relationships)
    root = _Doomed(standing.entity, parents, standing.relationships, standing.deletion_id)
    yield from self._empty(root)
    return (yield from _decide(self, standing))


_decide: Any = Core.__dict__["_decide"]


async def _force_like_leaves(
    self: Cascade, naming: Any, parent_ids: Sequence[str], found: Sequence[Mapping[str, Any]], deletion_id: str
) -> None:
    """Children that may be referred to are removed at once, in whatever state they are."""
    ids = [row["_id"] for row in found]
    await self._store.rows(naming.child).delete_many({"_id": {"$in": ids}})


async def _purge_without_a_plan(self: Deletions, deletion_id: str, epoch: int, plan: Sequence[Any]) -> Any:
    """Only the coordinator that decided knows what is to be done."""
    record = await self._open(deletion_id)
    at = ParentAt(ParentState.DELETING, epoch, deletion_id)
    moved = await self._moved(record, at, ParentAt(at.after(Step.PURGE).state, epoch, deletion_id, ()))
    return replace(await self.resume(deletion_id), fresh=moved, relationships=tuple(plan))


# Registration, kept answers, digest, majority look-up


async def _ask_no_registry(self: LocalOwner, questions: Sequence[Any]) -> list[Any]:
    async with self._store.session(fenced=True) as session:
        return await self._answers(questions, session)


def _key_without_relationship(wanted: Any, caller: Any) -> Any:
    return question_key(replace(wanted, relationship=""), caller)


def _check_no_digest(self: _Steps, context: Any, body: bytes, rules: Any) -> None:
    """Whatever was validated is taken for what this version declares."""


async def _look_anywhere(self: Closures, batch: list[Any]) -> None:
    """The look-up as a read of its own, that any node may answer."""
    keys = list(dict.fromkeys(key for item in batch for key in item.look_keys))
    by_key = {closed.key: closed for closed in await self._closed(keys, None)}
    for item in batch:
        mine = [by_key[key] for key in item.look_keys if key in by_key]
        if mine:
            item.barred(mine)
        else:
            item.opened()


MUTANTS: dict[str, Callable[[], Replaced]] = {
    "closure": lambda: [(Closures, "_look", _everything_is_open)],
    "intent": lambda: [(Create, "send", _live_at_once)],
    "token": lambda: [(creating, "_commits", _commits_of_any_token)],
    "voiding": lambda: [(Closer, "_void", nothing)],
    "conditional commit": lambda: [(Creator, "_committed", _all_are_committed)],
    "epoch": lambda: [
        (works, "_is_outdated", lambda closed, epochs: True),
        (Closures, "reopen", _reopen_whatever_the_epoch),
    ],
    "purge": lambda: [(Core, "_decide", _apply_first)],
    "overtaking by force": lambda: [(Cascade, "_force", _force_like_leaves)],
    "stored plan": lambda: [(Deletions, "purge", _purge_without_a_plan)],
    "healing": lambda: [
        (works, "_is_outdated", lambda closed, epochs: False),
        (Closer, "reopen", nothing),
    ],
    "registration before validation": lambda: [
        (Registration, "_register", nothing),
        (Registration, "ensure", nothing),
        (LocalOwner, "validate", _ask_no_registry),
    ],
    "answers kept per relationship": lambda: [(gateway.validation, "question_key", _key_without_relationship)],
    "digest": lambda: [(_Steps, "_check_signed", _check_no_digest)],
    "majority look-up": lambda: [(Closures, "_look", _look_anywhere)],
    "slot of a change": lambda: [(Change, "barred", lambda self, closures: self.opened())],
    "own id": lambda: [(Closures, "close_own", nothing)],
    "sweeper": lambda: [(Sweeper, "sweep", nothing)],
    "reaper": lambda: [(Reaper, "run_once", nothing)],
}


# The naive gateway: validate, then write; check, then delete.


def _may_be_named_while_there(row: Any, question: Any, rules: Any) -> bool:
    """Nobody marks a parent that is being deleted."""
    if row.get("_intent", {}).get("kind") == CREATE:
        return False
    if any(row.get(name) != value for name, value in question.match.items()):
        return False
    return question.caller is None or rules.allow(question.caller, row)


async def _nothing_is_stale(*_: Any, **__: Any) -> list[str]:
    return []


async def _nothing_is_left(*_: Any, **__: Any) -> bool:
    return False


def naive() -> Replaced:
    """No closures, no intents that anybody voids, no marks, no last look."""
    from kit.references import owner  # noqa: PLC0415

    return [
        (Closures, "_look", _everything_is_open),
        (Create, "send", _live_at_once),
        (Closer, "close", _nothing_is_stale),
        (Cascade, "left", _nothing_is_left),
        (owner, "_may_be_named", _may_be_named_while_there),
    ]
