"""The face of guarded writes: what a service calls to create a document with references, or to change them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from kit.clock import Clock
from kit.documents import Entity, Stored
from kit.problems import AlreadyExists, Problem
from kit.references.attached import NOTHING_ATTACHED, Attached
from kit.references.change_recovery import MOVED
from kit.references.changing import Change, Changer
from kit.references.checks import check_service
from kit.references.closures import Closures, ReferenceClosure
from kit.references.coverage import cover
from kit.references.creating import Create, Creator
from kit.references.deletes.cascading import Cascade
from kit.references.deletes.closing import Closer
from kit.references.deletes.deletion_records import ReferenceDeletion
from kit.references.deletes.deletions import Deletions
from kit.references.deletes.naming import Namings
from kit.references.deletes.parts import Parts, RemovedAggregate
from kit.references.owner import LocalOwner
from kit.references.plans import EntityPlan
from kit.references.reaper import Reaper
from kit.references.registry import Consent, ReferenceRegistration, Registry
from kit.references.removal import Removal
from kit.references.slots import Patch
from kit.references.tasks import Tasks
from kit.references.works import Judge
from kit.store import DuplicateKey, Store
from kit.store.codec import from_row, to_row, to_stored_value
from kit.store.collisions import taken_errors

E = TypeVar("E", bound=Entity)

CREATE_MANY_MAX = 1_000
FINISH_S = 5.0


class References:
    """One service's guarded writes, and its half as an owner. `start` it before the first write."""

    records: tuple[type[Stored], ...] = (
        ReferenceClosure,
        ReferenceRegistration,
        ReferenceDeletion,
        RemovedAggregate,
    )

    def __init__(
        self,
        store: Store,
        documents: Sequence[type[Stored]],
        *,
        clock: Clock,
        service: str,
        consent: str | None = None,
    ) -> None:
        check_service(documents)
        self._store = store
        self.service = service
        self.documents = tuple(documents)
        self.registry = Registry(store, documents, service=service, consent=Consent(consent))
        self.owner = LocalOwner(store, documents, self.registry, clock=clock)
        self.clock = clock
        self._tasks = Tasks()
        plans = [EntityPlan(one) for one in documents if issubclass(one, Entity) and one.is_guarded]
        closures = Closures(store)
        judge = Judge(closures, self.owner)
        self._creators = {
            plan.document_type: Creator(plan, store, closures, judge, clock=clock, tasks=self._tasks) for plan in plans
        }
        self._changers = {
            plan.document_type: Changer(plan, store, closures, judge, clock=clock, tasks=self._tasks)
            for plan in plans
            if plan.references
        }
        self.parts = Parts(store, documents, clock=clock)
        self.deletions = Deletions(store, self.registry, self.parts, closures, clock=clock)
        self.namings = Namings(documents)
        self.closer = Closer(store, self.namings, clock=clock)
        self.removal = Removal(store, documents, clock=clock)
        self.cascade = Cascade(store, documents, self.registry, self.parts, closures, clock=clock)
        self.reaper = Reaper([store.rows(plan.name) for plan in plans], clock=clock)

    async def start(self) -> None:
        """Registers this service's references to its own entities."""
        await self.registry.register_own(self.clock.now())

    async def stop(self) -> None:
        """Waits for writes that were taken off their request; what is left then is the reaper's."""
        await self._tasks.finish(FINISH_S)

    async def create(self, document: E, attached: Attached = NOTHING_ATTACHED) -> E:
        """What has a natural key and refers to nothing is inserted plainly: an answer that was lost is 503.

        Raises ReferencesNotValidated, ReferenceNotFound, ReferenceClosed, DuplicateKey, Unavailable, ResourceDeleted
        where an earlier sending or try has made the document and it was deleted since, and AlreadyExists with
        Retry-After while somebody else's unfinished write holds a unique value."""
        if not document.is_guarded:
            return await self._store.collection(type(document)).insert(document)
        creator = self._creators[type(document)]
        row = to_row(document)
        uses = creator.plan.uses(row)
        coverage = await cover(uses, row, attached, self.owner)
        work = Create(creator, row, coverage.keys, epochs=coverage.epochs, local=coverage.local)
        creator.start(work)
        await work.done
        return document

    async def create_many(self, documents: Sequence[E], attached: Attached = NOTHING_ATTACHED) -> list[E | Problem]:
        """Each document or its own refusal, in order. A unique value that is taken gives AlreadyExists."""
        if len(documents) > CREATE_MANY_MAX:
            raise ValueError(f"at most {CREATE_MANY_MAX} documents at once")
        return list(await asyncio.gather(*(self._create_or_say_why(one, attached) for one in documents)))

    async def change(
        self,
        document: E,
        patch: Mapping[str, Any],
        *,
        unset: Sequence[str] = (),
        attached: Attached = NOTHING_ATTACHED,
        where: Mapping[str, Any] | None = None,
    ) -> E | None:
        """Change references, or make a `restrict_if` filter true. `patch` and `unset` use stored names. None if the
        document isn't at `document.version` any more, or doesn't meet `where`. Raises as `create` does."""
        changer = self._changers[type(document)]
        before = to_row(document)
        values = {path: to_stored_value(value) for path, value in patch.items()}
        change = Patch(values, tuple(unset), where or {})
        after = change.applied(before)
        uses = changer.plan.uses(after)
        moved = {use.field for use in changer.plan.to_validate(before, after, uses)}
        unchanged = frozenset(use.field for use in uses) - moved
        coverage = await cover(uses, after, attached, self.owner, unchanged=unchanged)
        work = Change(changer, before, change, coverage.keys, epochs=coverage.epochs, local=coverage.local)
        changer.start(work)
        if await work.done is MOVED or work.slot is None:
            return None
        after.update(version=document.version + 1, updatedAt=work.slot.at)
        return from_row(type(document), after)

    async def _create_or_say_why(self, document: E, attached: Attached) -> E | Problem:
        try:
            return await self.create(document, attached)
        except DuplicateKey as error:
            return AlreadyExists("The value is taken.", errors=taken_errors(error.fields))
        except Problem as problem:
            return problem
