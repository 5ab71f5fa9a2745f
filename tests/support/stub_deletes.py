"""The halves of a delete as stubs play them, each word of which a test may set."""

from collections.abc import Awaitable, Callable
from typing import Any

from stub_platform import ALICE
from stub_services import Json, Seen, Stub

OWNER = "/internal/references/deletions/"
CHILD = "/internal/references/children/"
DELETION = "users.0001"
BOTS = {"relationship": "trading_bots.userId", "service": "bots", "onDelete": "CASCADE"}
Reply = Callable[..., Awaitable[None]]


class StubDeletes:
    """`users` own what is deleted and keep one deletion, `bots` have its children. `words` are by step ("begin",
    "close"): what is answered instead, as (status, value), the first one first; the last one stays."""

    def __init__(self, users: Stub, bots: Stub) -> None:
        self.users, self.bots = users, bots
        self.words: dict[str, list[tuple[int, Any]]] = {}
        self.state = "active"
        self.epoch = 0
        self.beat = 0
        self.relationships: list[Json] = [BOTS]
        self.waiting: list[Json] = []
        self.blocked: list[Json] = []
        for step in ("plan", "begin", "resume", "refuse", "purge", "finish", "report", "unfinished", "read"):
            users.answers["POST", OWNER + step] = self._handler(step)
        for step in ("count", "close", "reopen", "apply", "look", "remove"):
            bots.answers["POST", CHILD + step] = self._handler(step)
            users.answers["POST", CHILD + step] = self._handler(step)

    def says(self, step: str, *words: tuple[int, Any]) -> None:
        self.words[step] = list(words)

    def asked(self, step: str) -> list[Any]:
        """The bodies of the calls of one step, in order."""
        calls = [*self.users.to(OWNER + step), *self.users.to(CHILD + step), *self.bots.to(CHILD + step)]
        return [call.json for call in calls]

    def standing(self, **changes: Any) -> Json:
        return {
            "state": self.state,
            "deletionId": DELETION,
            "entity": "users",
            "id": ALICE,
            "epoch": self.epoch,
            "relationships": self.relationships,
            "blockedBy": self.blocked,
            "other": None,
            "fresh": False,
            "requestedBy": ALICE,
            "progress": {},
            **changes,
        }

    def _handler(self, step: str) -> Callable[[Seen, Reply], Awaitable[None]]:
        async def handle(seen: Seen, reply: Reply) -> None:
            assert seen.context is not None, "the gateway signs what it asks"
            words = self.words.get(step)
            if words:
                status, value = words.pop(0) if len(words) > 1 else words[0]
                await reply(status, value(seen) if callable(value) else value)
            else:
                await reply(200, getattr(self, f"_{step}")(seen.json))

        return handle

    def _plan(self, _: Json) -> Json:
        return {"entity": "users", "id": ALICE, "relationships": self.relationships}

    def _begin(self, _: Json) -> Json:
        if self.state == "active":
            self.state, self.epoch = "deleting", self.epoch + 1
        return self.standing()

    def _resume(self, said: Json) -> Json:
        return self.standing(deletionId=said["deletionId"])

    def _refuse(self, said: Json) -> Json:
        self.state, self.epoch, self.blocked = "refused", self.epoch + 1, said["blockedBy"]
        return self._resume(said)

    def _purge(self, said: Json) -> Json:
        self.state, self.relationships = "purging", said["plan"]
        return {**self._resume(said), "fresh": True}

    def _finish(self, said: Json) -> Json:
        self.state = "done"
        return self._resume(said)

    def _report(self, said: Json) -> Json:
        self.beat += 1
        self.waiting = said["waitingFor"]
        return {}

    def _unfinished(self, _: Json) -> Json:
        is_open = self.state in ("deleting", "purging")
        return {"items": [{"deletionId": DELETION, "beat": self.beat, "requestedBy": ALICE}] if is_open else []}

    def _read(self, _: Json) -> Json:
        return {"deletionId": DELETION, "state": self.state, "waitingFor": self.waiting}

    def _count(self, _: Json) -> Json:
        return {"blockedBy": [], "rules": []}

    def _close(self, _: Json) -> Json:
        return {"stale": [], "blockedBy": [], "rules": []}

    def _reopen(self, _: Json) -> Json:
        return {}

    def _apply(self, _: Json) -> Json:
        counts = {"setNull": 0, "removed": 0, "forced": [], "relationships": [], "more": False}
        return {"child": "trading_bots", **counts}

    def _look(self, _: Json) -> Json:
        return {"left": []}

    def _remove(self, said: Json) -> Json:
        return {"removed": len(said["items"])}
