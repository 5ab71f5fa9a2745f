"""Positive answers of owners, reused for a few seconds. That is safe because the child's store looks at closures
before it commits; a condition (`require`) holds at its instant only and is never kept."""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.extraction import Wanted
from kit.identity import Caller


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The owner has it: at this epoch, with these values of what was to be copied. `id` is what a key led to."""

    epoch: int
    copied: Mapping[str, Any]
    id: str | None = None


def question_key(wanted: Wanted, caller: Caller) -> tuple[bytes, Caller]:
    """What was asked, with its types (1 is not true), and for whom."""
    asked = [wanted.relationship, wanted.parent, wanted.id, wanted.key, wanted.match, wanted.copy, wanted.require]
    return orjson.dumps(asked, option=orjson.OPT_SORT_KEYS), caller


class AnswersCache:
    """At most `answers_max` answers, each for `kept_s` seconds of the event loop's time."""

    def __init__(self, *, kept_s: float, answers_max: int) -> None:
        self._kept_s = kept_s
        self._answers_max = answers_max
        self._answers: OrderedDict[Hashable, tuple[float, Confirmed]] = OrderedDict()

    def get(self, key: Hashable, now: float) -> Confirmed | None:
        found = self._answers.get(key)
        if found is None:
            return None
        if found[0] <= now:
            del self._answers[key]
            return None
        return found[1]

    def put(self, key: Hashable, answer: Confirmed, now: float) -> None:
        """Answers leave in the order they came, so the oldest is always first."""
        self._answers[key] = (now + self._kept_s, answer)
        self._answers.move_to_end(key)
        while self._answers and (
            len(self._answers) > self._answers_max or next(iter(self._answers.values()))[0] <= now
        ):
            self._answers.popitem(last=False)

    def clear(self) -> None:
        self._answers.clear()

    def __len__(self) -> int:
        return len(self._answers)
