"""Before anything is written: whether every reference was confirmed, by the gateway for this request or here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit.context import ValidatedReference
from kit.problems import FieldError, ReferenceNotFound, ReferencesNotValidated
from kit.references.attached import Attached
from kit.references.owner import Answer, LocalOwner, Question
from kit.references.plans import Use


@dataclass(slots=True)
class Coverage:
    """`keys` name the references as an intent does, `epochs` are the owners' by key, `local` what was asked here."""

    keys: list[str] = field(default_factory=list)
    epochs: dict[str, int] = field(default_factory=dict)
    local: dict[str, Question] = field(default_factory=dict)


async def cover(
    uses: Sequence[Use],
    row: Mapping[str, Any],
    attached: Attached,
    owner: LocalOwner,
    *,
    unchanged: frozenset[str] = frozenset(),
) -> Coverage:
    """`unchanged` are fields of a stored document that its change leaves alone: they are listed, but need no
    confirmation. Raises ReferencesNotValidated for what the gateway should have validated and didn't,
    ReferenceNotFound with a pointer for each of this service's own that isn't there."""
    coverage = Coverage()
    asked: list[tuple[Use, Question]] = []
    for use in uses:
        validated = _attached(use, attached)
        if validated is not None:
            _check_copied(use, validated.copied, row, is_new=use.field not in unchanged)
            _add(coverage, use, validated.id, validated.epoch)
        elif use.field in unchanged and use.parent_id is not None:
            coverage.keys.append(use.intent_key(use.parent_id))
        elif owner.owns(use.target.entity):
            asked.append((use, _question(use, row)))
        else:
            raise ReferencesNotValidated(f"{use.relationship} is not among the validated references.")
    if asked:
        answers = await owner.confirm([question for _, question in asked])
        _add_answers(coverage, asked, answers, row)
    return coverage


def _add_answers(
    coverage: Coverage, asked: Sequence[tuple[Use, Question]], answers: Sequence[Answer], row: Mapping[str, Any]
) -> None:
    missing: list[FieldError] = []
    for (use, question), answer in zip(asked, answers, strict=True):
        if not answer.ok:
            missing.append(FieldError(f"/{use.field}", ReferenceNotFound.code, "It names nothing that exists here."))
            continue
        _check_copied(use, answer.copied, row, is_new=True)
        _add(coverage, use, answer.id, answer.epoch)
        coverage.local[use.intent_key(answer.id)] = question
    if missing:
        raise ReferenceNotFound("A field refers to something that does not exist.", errors=missing)


def _add(coverage: Coverage, use: Use, parent_id: str, epoch: int) -> None:
    key = use.intent_key(parent_id)
    coverage.keys.append(key)
    coverage.epochs[key] = epoch


def _attached(use: Use, attached: Attached) -> ValidatedReference | None:
    if use.parent_id is not None:
        return attached.find(use.relationship, use.target.entity, use.parent_id)
    return attached.find_by_key(use.relationship, use.target.entity, use.key or {})


def _question(use: Use, row: Mapping[str, Any]) -> Question:
    return Question(
        use.relationship,
        use.target.entity,
        id=use.parent_id,
        key=use.parent_key(),
        match=use.matched(row),
        copy=tuple(use.target.copy.values()),
    )


def _check_copied(use: Use, copied: Mapping[str, Any], row: Mapping[str, Any], *, is_new: bool) -> None:
    """What is stored as copied, or as matched where the owner said it, must be what the owner said. A reference that
    stays may come with its epoch alone: what it copied is there already, and immutable at the owner."""
    for child, parent in use.target.copy.items():
        if (is_new and parent not in copied) or (parent in copied and copied[parent] != row.get(child)):
            raise ReferencesNotValidated(f"{use.relationship}: {child} is not what the owner hands down.")
    for child, parent in use.target.match.items():
        if parent in copied and copied[parent] != row.get(child):
            raise ReferencesNotValidated(f"{use.relationship}: it was validated for another {child}.")
