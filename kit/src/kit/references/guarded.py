"""The face of guarded writes: what a service calls to create a document with references, or to change them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from kit.clock import Clock
from kit.documents import Entity, Stored
from kit.problems import Problem
from kit.references.attached import NOTHING_ATTACHED, Attached
from kit.references.checks import check_service
from kit.store import Store

E = TypeVar("E", bound=Entity)


class References:
    """One service's guarded writes."""

    def __init__(self, store: Store, documents: Sequence[type[Stored]], *, clock: Clock, service: str) -> None:
        check_service(documents)
        self._store = store
        self._clock = clock
        self.service = service
        self.documents = tuple(documents)

    async def create(self, document: E, attached: Attached = NOTHING_ATTACHED) -> E:
        """Raises ReferencesNotValidated, ReferenceNotFound, ReferenceClosed, DuplicateKey, Unavailable, and AlreadyExists
        with Retry-After while somebody else's unfinished write holds a unique value."""
        raise NotImplementedError

    async def create_many(self, documents: Sequence[E], attached: Attached = NOTHING_ATTACHED) -> list[E | Problem]:
        """Each document or its own refusal, in order. A unique value that is taken gives AlreadyExists."""
        raise NotImplementedError

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
        document isn't at `document.version` any more, or doesn't meet `where`."""
        raise NotImplementedError
