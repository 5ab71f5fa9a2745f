"""Removes refresh tokens that expired. They are refused before, so that nothing waits for it; nobody refers to one."""

from kit.runtime import Runtime
from kit.workers import Worker
from users.documents.refresh_tokens import RefreshToken

BATCH_MAX = 500
BATCHES_MAX = 20


def expired_sessions(runtime: Runtime, *, interval_s: float) -> Worker:
    """At most `BATCHES_MAX` batches of `BATCH_MAX` a run; replicas may run it at once."""

    async def run_once() -> None:
        families = runtime.store.collection(RefreshToken)
        for _ in range(BATCHES_MAX):
            expired = {"expiresAt": {"$lte": runtime.clock.now()}}
            if await families.delete_many(expired, limit=BATCH_MAX) < BATCH_MAX:
                return

    return Worker(name="expired-sessions", interval_s=interval_s, run_once=run_once)
