"""What the coordinator's core and whoever drives it say to each other. The core does no I/O: it yields calls that may
be made at once, and is sent their answers."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from gateway.upstream_errors import BadAnswerError

T = TypeVar("T")

DELETING: Final = "deleting"
PURGING: Final = "purging"
DONE: Final = "done"
REFUSED: Final = "refused"
OVERTAKEN: Final = "overtaken"
ABANDONED: Final = "abandoned"
CHANGED: Final = "changed"
FINAL: Final = frozenset({DONE, REFUSED, OVERTAKEN, ABANDONED})
DELETION_ID_LENGTH_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Call:
    """POST of `body` to `/internal/references/<path>` of a service."""

    service: str
    path: str
    body: Mapping[str, Any]

    @property
    def step(self) -> str:
        return self.path.rpartition("/")[2]


Answer = Mapping[str, Any]
Steps = Generator[Sequence[Call], Sequence[Answer], T]


class WaitingError(Exception):
    """It can't go on now; somebody tries again from `resume`. `services` are those that are waited for, each with its
    reason."""

    def __init__(self, services: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in services.items()))
        self.services = dict(services)


@dataclass(frozen=True, slots=True)
class Referring:
    """A relationship to ask about, as the owner's registry or a stored plan has it."""

    relationship: str
    service: str
    on_delete: str

    @property
    def child(self) -> str:
        return self.relationship.partition(".")[0]

    def body(self) -> dict[str, str]:
        return {"relationship": self.relationship, "service": self.service, "onDelete": self.on_delete}


@dataclass(frozen=True, slots=True)
class Planned:
    """What a DELETE means, as its service says before anything is marked. `in_deletion`: somebody's delete has marked
    it already."""

    entity: str
    id: str
    relationships: tuple[Referring, ...]
    in_deletion: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a deletion stands, as the owner of its root says. `fresh`: the call that was answered purged it.
    `requested_by` asked for it first: the ids of what blocks are those that he may see."""

    state: str
    deletion_id: str
    entity: str
    id: str
    epoch: int
    relationships: tuple[Referring, ...] = ()
    blocked_by: tuple[Mapping[str, Any], ...] = ()
    other: str | None = None
    fresh: bool = False
    requested_by: str | None = None
    progress: Mapping[str, int] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return owner_of(self.deletion_id)


@dataclass(slots=True)
class Progress:
    """What was done so far, as far as it was reported."""

    removed: int = 0
    set_null: int = 0
    step: str = "begin"
    waiting: dict[str, str] = field(default_factory=dict)

    def take_up(self, standing: Standing) -> None:
        """Go on counting where another coordinator ended."""
        self.removed = max(self.removed, standing.progress.get("removed", 0))
        self.set_null = max(self.set_null, standing.progress.get("setNull", 0))

    def counts(self) -> dict[str, int]:
        return {"removed": self.removed, "setNull": self.set_null}


def owner_of(deletion_id: str) -> str:
    """The service that keeps a deletion: its id begins with it."""
    return deletion_id.partition(".")[0]


def read_planned(answer: Answer) -> Planned:
    """Raises BadAnswerError. An owner of an older version doesn't say whether the document is in deletion."""
    try:
        entity, document_id = _text(answer["entity"]), _text(answer["id"])
        relationships = read_referring(answer["relationships"])
        return Planned(entity, document_id, relationships, in_deletion=answer.get("inDeletion") is True)
    except (KeyError, TypeError) as error:
        raise BadAnswerError("the owner does not say what is to be deleted") from error


def read_standing(answer: Answer) -> Standing:
    """Raises BadAnswerError unless all of it is there."""
    try:
        return Standing(
            state=_text(answer["state"]),
            deletion_id=_deletion_id(answer["deletionId"]),
            entity=_text(answer["entity"]),
            id=_text(answer["id"]),
            epoch=whole(answer["epoch"]),
            relationships=read_referring(answer["relationships"]),
            blocked_by=read_blocked(answer["blockedBy"]),
            other=None if answer["other"] is None else _deletion_id(answer["other"]),
            fresh=answer["fresh"] is True,
            requested_by=_text_or_none(answer.get("requestedBy")),
            progress={name: whole(count) for name, count in answer["progress"].items()},
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise BadAnswerError("the owner does not say where the deletion stands") from error


def read_standing_of(deletion_id: str, answer: Answer) -> Standing:
    """Raises BadAnswerError also for the standing of another deletion than was asked about."""
    standing = read_standing(answer)
    if standing.deletion_id != deletion_id:
        raise BadAnswerError("the owner says how another deletion stands")
    return standing


def read_referring(said: Any) -> tuple[Referring, ...]:
    """Raises BadAnswerError."""
    try:
        return tuple(
            Referring(_text(one["relationship"]), _text(one["service"]), _text(one["onDelete"]))
            for one in _listed(said)
        )
    except (KeyError, TypeError) as error:
        raise BadAnswerError("the answer does not say which relationships there are") from error


def read_blocked(said: Any) -> tuple[Mapping[str, Any], ...]:
    """What blocks, by relationship. Raises BadAnswerError."""
    try:
        return tuple(
            {
                "relationship": _text(one["relationship"]),
                "count": whole(one["count"]),
                "ids": [_text(child_id) for child_id in _listed(one["ids"])],
            }
            for one in _listed(said)
        )
    except (KeyError, TypeError) as error:
        raise BadAnswerError("the answer does not say what blocks") from error


def read_rules(said: Any) -> dict[str, str]:
    """By relationship, the rule that the service declares now. Raises BadAnswerError."""
    try:
        return {_text(one["relationship"]): _text(one["onDelete"]) for one in _listed(said)}
    except (KeyError, TypeError) as error:
        raise BadAnswerError("the answer does not say which rules there are") from error


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _deletion_id(value: Any) -> str:
    """It goes into a header."""
    text = _text(value)
    if len(text) > DELETION_ID_LENGTH_MAX or not (text.isascii() and text.isprintable()):
        raise TypeError
    return text


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def whole(value: Any) -> int:
    """Raises TypeError for what is no whole number."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError
    return value
