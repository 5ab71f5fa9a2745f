"""A full anti-join of one relationship between two sides, in pages, read-only, against live traffic.

A side is a store at hand, or a service that is asked over HTTP: the algorithm is the same.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kit.references.audits.audit_findings import (
    ABSENT,
    AHEAD,
    BARRING,
    LISTED_MAX,
    MISMATCH,
    PART,
    STALE,
    Asked,
    Child,
    ClosureSeen,
    Names,
    OddClosure,
    Orphan,
    OwnerReport,
    ParentSeen,
    Pending,
    Registered,
    Relationship,
    Report,
    Stuck,
)
from kit.references.declaration import intent_key
from kit.references.deletes.parent_states import ParentState

PAGE = 1_000
SUSPECTS_MAX = 10_000
RECHECK_AFTER_S = 31.0


@dataclass(frozen=True, slots=True)
class ChildPage:
    """`last` is the id to go on after; None at the end."""

    children: tuple[Child, ...]
    last: str | None


@dataclass(frozen=True, slots=True)
class ClosurePage:
    """`last` is the parent's id to go on after; None at the end."""

    closures: tuple[ClosureSeen, ...]
    last: str | None


@dataclass(frozen=True, slots=True)
class DeletionPage:
    """Documents in deletion among those of one entity; `last` as in a ChildPage."""

    found: tuple[Stuck, ...]
    last: str | None


class ChildSide(Protocol):
    """The child's store. Create intents are no children."""

    async def page(self, relationship: Relationship, after: str, limit: int) -> ChildPage: ...

    async def again(self, relationship: Relationship, ids: Sequence[str]) -> Sequence[Child]: ...

    async def pending(self, relationship: Relationship) -> Sequence[Pending]:
        """At most LISTED_MAX."""
        ...

    async def closures(self, relationship: Relationship, after: str, limit: int) -> ClosurePage: ...


class ParentSide(Protocol):
    """The parent's store: those that are there, one in deletion too, since its children are still to be dealt with."""

    async def look(self, asked: Asked, names: Collection[Names]) -> Mapping[Names, ParentSeen]: ...


class OwnerSide(Protocol):
    """An owner's own findings."""

    async def registered(self) -> Sequence[Registered]: ...

    async def in_deletion(self, entity: str, after: str, limit: int) -> DeletionPage: ...


OpenDeletions = Callable[[Collection[str]], Awaitable[Mapping[str, bool]]]
"""Which of the deletions are open; those that nobody can be asked about are left out."""


async def audit(
    relationship: Relationship,
    *,
    children: ChildSide,
    parents: ParentSide,
    recheck_after_s: float = RECHECK_AFTER_S,
) -> Report:
    """A suspect counts only if it is one still after `recheck_after_s`, the longest deadline that a request has.
    The report is not complete if there were more than SUSPECTS_MAX."""
    report = Report(relationship)
    suspects: dict[str, Orphan] = {}
    async for page in _pages(relationship, children):
        report.children_read += len(page)
        suspects |= {one.child_id: one for one in await _orphans(relationship, page, parents)}
        if len(suspects) > SUSPECTS_MAX:
            report.cut_short(f"There are more than {SUSPECTS_MAX} suspects; the rest was not read.")
            break
    if suspects:
        await asyncio.sleep(recheck_after_s)
        report.orphans = await _still_orphans(relationship, suspects, children, parents)
    if relationship.kind != PART:
        report.intents = list(await children.pending(relationship))
        await _compare_closures(report, children, parents)
    return report


async def audit_owner(
    service: str,
    entities: Sequence[str],
    *,
    owner: OwnerSide,
    open_deletions: OpenDeletions,
    declared: Collection[tuple[str, str]],
    recheck_after_s: float = RECHECK_AFTER_S,
) -> OwnerReport:
    """`declared` are the (relationship, parent) pairs of all services' documents. A document counts as stuck if it is
    where it was after `recheck_after_s`, and its deletion is not open then."""
    report = OwnerReport(service)
    for one in await owner.registered():
        if (one.relationship, one.parent) not in declared:
            report.undeclared.append(one)
    first = await _stuck(entities, owner, open_deletions, report)
    if first:
        await asyncio.sleep(recheck_after_s)
        report.stuck = [one for one in await _stuck(entities, owner, open_deletions, report) if one in first]
    return report


async def _pages(relationship: Relationship, children: ChildSide) -> AsyncIterator[tuple[Child, ...]]:
    after: str | None = ""
    while after is not None:
        page = await children.page(relationship, after, PAGE)
        yield page.children
        after = page.last


async def _still_orphans(
    relationship: Relationship, suspects: Mapping[str, Orphan], children: ChildSide, parents: ParentSide
) -> list[Orphan]:
    """Those that are found to be the same orphan once more: one that names another parent by now is none."""
    found: list[Orphan] = []
    ids = list(suspects)
    for start in range(0, len(ids), PAGE):
        again = await children.again(relationship, ids[start : start + PAGE])
        found += [one for one in await _orphans(relationship, again, parents) if suspects[one.child_id] == one]
    return found


async def _orphans(relationship: Relationship, named: Sequence[Child], parents: ParentSide) -> list[Orphan]:
    if not named:
        return []
    seen = await parents.look(relationship.asked, {one.names for one in named})
    judged = [(one, why_orphan(one, seen.get(one.names))) for one in named]
    return [Orphan(one.id, one.parent_id, reason) for one, reason in judged if reason is not None]


def why_orphan(child: Child, parent: ParentSeen | None) -> str | None:
    """The reason, or None for a reference that holds. The children of a parent in purging are being dealt with."""
    if parent is None:
        return ABSENT
    if parent.state == ParentState.PURGING:
        return None
    differs = any(parent.values.get(name) != value for name, value in child.match.items())
    return MISMATCH if differs else None


async def _compare_closures(report: Report, children: ChildSide, parents: ParentSide) -> None:
    """Each closure is read before its owner, whose epoch only grows: so none that is written now looks odd. The
    closures of parents that are gone stay for ever, as they should. What bars creates is listed first."""
    relationship = report.relationship
    barring, stale = list[OddClosure](), list[OddClosure]()
    after: str | None = ""
    while after is not None:
        page = await children.closures(relationship, after, PAGE)
        after = page.last
        if not page.closures:
            continue
        seen = await parents.look(Asked(relationship.parent), {(one.parent_id,) for one in page.closures})
        for one in page.closures:
            kind = _odd(one, seen.get((one.parent_id,)))
            if kind is None:
                continue
            report.closure_count += 1
            odd = OddClosure(intent_key(relationship.name, relationship.parent, one.parent_id), kind, one.age_s)
            listed = stale if kind == STALE else barring
            if len(listed) < LISTED_MAX:
                listed.append(odd)
    report.closures = [*barring, *stale][:LISTED_MAX]


def _odd(closure: ClosureSeen, parent: ParentSeen | None) -> str | None:
    """One that was reopened by an epoch that its owner has not reached bars the owner's next delete."""
    if parent is None:
        return None
    if closure.epoch > parent.epoch:
        return AHEAD
    if not closure.closed:
        return None
    if closure.epoch < parent.epoch:
        return STALE
    return BARRING if parent.state == ParentState.ACTIVE else None


async def _stuck(
    entities: Sequence[str], owner: OwnerSide, open_deletions: OpenDeletions, report: OwnerReport
) -> set[Stuck]:
    found: set[Stuck] = set()
    for entity in entities:
        after: str | None = ""
        while after is not None:
            page = await owner.in_deletion(entity, after, PAGE)
            after = page.last
            found |= await _without_deletion(page.found, open_deletions, report)
            if len(found) > SUSPECTS_MAX:
                report.cut_short(f"More than {SUSPECTS_MAX} documents are stuck in deletion; the rest was not read.")
                return found
    return found


async def _without_deletion(found: Sequence[Stuck], open_deletions: OpenDeletions, report: OwnerReport) -> set[Stuck]:
    named = {one.deletion for one in found if one.deletion is not None}
    known = await open_deletions(named) if named else {}
    if named - known.keys():
        report.cut_short("Not every service that keeps a deletion could be asked.")
    return {one for one in found if one.deletion is None or known.get(one.deletion) is False}
