"""Signs of life of what others drive: how long each has been quiet, by this process's own monotonic clock. The clock of
whoever gives them isn't asked."""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Beats(Generic[K]):
    """One look after the other: what a look does not hear of is forgotten by `forget_others`."""

    def __init__(self) -> None:
        self._seen: dict[K, tuple[int, float]] = {}
        self._heard: set[K] = set()

    def idle_s(self, key: K, beat: int) -> float:
        """Since when it has had this beat, as far as is known here."""
        now = asyncio.get_running_loop().time()
        known_beat, since = self._seen.get(key, (beat, now))
        self._seen[key] = (beat, since if beat == known_beat else now)
        self._heard.add(key)
        return now - self._seen[key][1]

    def start_anew(self, key: K) -> None:
        """Somebody was found for it: its quiet begins now."""
        self._seen[key] = (self._seen[key][0], asyncio.get_running_loop().time())

    def keep(self, key: K) -> None:
        """It can't be heard now, which says nothing about it."""
        self._heard.add(key)

    def known(self) -> list[K]:
        return list(self._seen)

    def forget_others(self) -> None:
        """The look is over."""
        self._seen = {key: seen for key, seen in self._seen.items() if key in self._heard}
        self._heard.clear()
