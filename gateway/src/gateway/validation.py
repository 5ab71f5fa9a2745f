"""Asks owners whether what a request refers to is there: one batched call per owner, shared by concurrent requests."""

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from gateway.answers_cache import AnswersCache, Confirmed, question_key
from gateway.catalogue import Catalogue
from gateway.client import SmallAnswer
from gateway.extraction import Wanted
from gateway.internal import VALIDATE, InternalCalls, json_object
from gateway.metrics import GatewayMetrics
from gateway.registration import Registration
from gateway.upstream_errors import AnswerLostError, BadAnswerError, UpstreamError
from kit.batching import Batcher
from kit.identity import Caller
from kit.problems import Problem

ITEMS_MAX: Final = 500
WAITING_MAX: Final = 20_000
_REFUSES_A_BATCH: Final = frozenset({400, 413, 422})
_log = structlog.get_logger("gateway.validation")


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such document, or not for this caller, or not with these values: the owner does not say which."""


@dataclass(frozen=True, slots=True)
class ConditionFailed:
    detail: str


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The owner does not take references of this relationship."""


@dataclass(frozen=True, slots=True)
class Unverifiable:
    """The owner can't be asked now, or gave no usable answer."""

    reason: str


Outcome = Confirmed | Missing | ConditionFailed | Unregistered | Unverifiable
Question = tuple[Wanted, Caller]


class Validation:
    """`ask` never raises: what goes wrong is the outcome of each question that it concerns."""

    def __init__(
        self,
        calls: Mapping[str, InternalCalls],
        registration: Registration,
        cache: AnswersCache,
        *,
        catalogue: Callable[[], Catalogue],
        timeout_s: float,
        metrics: GatewayMetrics,
    ) -> None:
        self._registration = registration
        self._cache = cache
        self._catalogue = catalogue
        self._count = metrics.validated
        self._lanes = {
            owner: Batcher[Question, Outcome](
                _Owner(one, timeout_s, metrics).ask,
                size_max=ITEMS_MAX,
                waiting_max=WAITING_MAX,
                timeout_s=timeout_s * 4,
            )
            for owner, one in calls.items()
        }

    async def ask(self, questions: Sequence[Wanted], caller: Caller, *, live: bool = False) -> list[Outcome]:
        """One outcome per question, in order. `live`: no kept answer will do. Equal questions are asked once."""
        now = asyncio.get_running_loop().time()
        keys = [question_key(wanted, caller) for wanted in questions]
        outcomes: dict[Hashable, Outcome] = {}
        missing: dict[Hashable, Wanted] = {}
        for key, wanted in zip(keys, questions, strict=True):
            kept = None if live or wanted.require else self._cache.get(key, now)
            if kept is None:
                missing[key] = wanted
            else:
                outcomes[key] = kept
                self._count(wanted.parent, "kept")
        if missing:
            answers = await asyncio.gather(*(self._ask(wanted, caller) for wanted in missing.values()))
            outcomes.update(zip(missing, answers, strict=True))
        return [outcomes[key] for key in keys]

    async def _ask(self, wanted: Wanted, caller: Caller) -> Outcome:
        owner = self._catalogue().owners.get(wanted.parent)
        if owner is None:
            return Unverifiable(f"no service that has {wanted.parent} is known yet")
        asked_at = asyncio.get_running_loop().time()
        outcome = await self._submit(owner, wanted, caller)
        if isinstance(outcome, Unregistered) and self._registration.forget(owner, since=asked_at):
            outcome = await self._submit(owner, wanted, caller)
        if isinstance(outcome, Confirmed) and not wanted.require:
            self._cache.put(question_key(wanted, caller), outcome, asyncio.get_running_loop().time())
        self._count(wanted.parent, type(outcome).__name__.lower())
        return outcome

    async def _submit(self, owner: str, wanted: Wanted, caller: Caller) -> Outcome:
        try:
            await self._registration.ensure(owner)
            return await self._lanes[owner].submit((wanted, caller))
        except UpstreamError as error:
            return Unverifiable(f"{owner}: {error}")
        except Problem as problem:
            return Unverifiable(f"{owner}: {problem}")

    def clear(self) -> None:
        self._cache.clear()


class _Owner:
    """Sends one batch after another to one owner."""

    def __init__(self, calls: InternalCalls, timeout_s: float, metrics: GatewayMetrics) -> None:
        self._calls = calls
        self._size = metrics.validation_batches
        self._timeout_s = timeout_s

    async def ask(self, batch: list[Question]) -> list[Outcome]:
        """The outcomes in order. Equal questions of several requests are asked once."""
        places: dict[Hashable, int] = {}
        asked: list[Question] = []
        where: list[int] = []
        for wanted, caller in batch:
            place = places.setdefault(question_key(wanted, caller), len(asked))
            if place == len(asked):
                asked.append((wanted, caller))
            where.append(place)
        self._size.observe(len(asked))
        outcomes = await self._call(asked)
        return [outcomes[place] for place in where]

    async def _call(self, questions: list[Question]) -> list[Outcome]:
        try:
            answer = await self._post({"items": [_item(*one) for one in questions]})
            if answer.status in _REFUSES_A_BATCH and len(questions) > 1:
                # One question that the owner can't read must not cost the others their answers.
                middle = len(questions) // 2
                return await self._call(questions[:middle]) + await self._call(questions[middle:])
            return _outcomes(json_object(answer).get("items"), questions)
        except UpstreamError as error:
            _log.warning("owner not asked", owner=self._calls.service, reason=str(error), items=len(questions))
            return [Unverifiable(f"{self._calls.service}: {error}")] * len(questions)

    async def _post(self, asked: Mapping[str, Any]) -> SmallAnswer:
        """A question changes nothing, so that of a replica that died over it the next one is asked."""
        try:
            return await self._calls.post(VALIDATE, asked, timeout_s=self._timeout_s)
        except AnswerLostError:
            return await self._calls.post(VALIDATE, asked, timeout_s=self._timeout_s)


def _item(wanted: Wanted, caller: Caller) -> dict[str, Any]:
    item: dict[str, Any] = {
        "relationship": wanted.relationship,
        "parent": wanted.parent,
        "caller": {"id": caller.id, "roles": sorted(caller.roles)},
    }
    if wanted.key is None:
        item["id"] = wanted.id
    else:
        item["key"] = wanted.key
    if wanted.match:
        item["match"] = wanted.match
    if wanted.copy:
        item["copy"] = wanted.copy
    if wanted.require:
        item["require"] = wanted.require
    return item


def _outcomes(items: Any, questions: list[Question]) -> list[Outcome]:
    """Raises BadAnswerError unless there is one good item per question: half an answer is none."""
    if not isinstance(items, list) or len(items) != len(questions):
        raise BadAnswerError("the owner's answer does not have one item per question")
    return [_outcome(item, wanted) for item, (wanted, _) in zip(items, questions, strict=True)]


def _outcome(item: Any, wanted: Wanted) -> Outcome:
    status = item.get("status") if isinstance(item, dict) else None
    if status == "not-found":
        return Missing()
    if status == "condition-failed" and wanted.require:
        return ConditionFailed(str(item.get("detail", ""))[:300])
    if status == "unregistered":
        return Unregistered()
    if status != "ok":
        raise BadAnswerError("the owner's answer has an item without a known status")
    epoch, copied, found_id = item.get("epoch", 0), item.get("copied", {}), item.get("id", wanted.id)
    if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 0 or not isinstance(copied, dict):
        raise BadAnswerError("the owner's answer has an item without an epoch or copied values")
    if any(name not in copied for name in wanted.copy):
        raise BadAnswerError("the owner's answer lacks a value that was to be copied")
    if not isinstance(found_id, str) or found_id != (wanted.id or found_id):
        raise BadAnswerError("the owner's answer is about another id")
    return Confirmed(epoch, copied, found_id)
