"""What can go wrong at the store. A driver's error never leaves `kit.store`."""

from kit.problems import Unavailable


class DuplicateKey(Exception):  # noqa: N818 (the name of the event, as callers think of it)
    """A committed document holds the same unique value.

    `fields` are the stored names of the unique index's fields (`("_id",)` for the key), empty if that isn't known.
    """

    def __init__(self, fields: tuple[str, ...] = (), *, collection: str = "") -> None:
        super().__init__(f"{collection}: {', '.join(fields) or 'a unique value'} is taken")
        self.fields = fields
        self.collection = collection


class StoreUnavailable(Unavailable):
    """The store didn't answer. `sent` is False only if the operation certainly never reached it."""

    def __init__(self, detail: str = "", *, sent: bool = True) -> None:
        super().__init__(detail or "The store does not answer; try again.")
        self.sent = sent


class StoreContended(StoreUnavailable):
    """The store gave this write up in favour of another that held the same documents (a deadlock, a write
    conflict). Of a batch, some writes may have taken effect: look, and do the others again."""

    def __init__(self) -> None:
        super().__init__("The write met another one; try again.")


class UnguardedWrite(TypeError):  # noqa: N818
    """A plain write of a reference, or a plain insert of an entity, which only guarded ones may do: a mistake in the
    code."""


class UnsuitableStore(Exception):  # noqa: N818
    """A cluster without majority reads or causally consistent sessions can't hold references safely."""
