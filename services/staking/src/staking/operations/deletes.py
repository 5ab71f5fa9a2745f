"""Who may delete a pool, and what must still hold when it is marked. The gateway coordinates the delete itself.

No funding loses its pool: one that came to the pool first is seen here, by its mark or by what it brought; one that
comes later finds the pool marked and is refused. There is no third case, since the mark and what the ledger does at the
pool are updates of one document, each conditional on the other's not having happened.
"""

from collections.abc import Mapping

from kit.identity import TREASURY, Caller
from kit.preconditions import check_if_match
from kit.problems import Unavailable
from kit.references.deletes.deleting import DeletePlan
from kit.runtime import Runtime
from staking.domain.pool import DELETE, PoolState, is_deletable
from staking.operations.pools import illegal_pool_action, load_pool

WAS_FUNDED = "A pool that was ever funded is history and stays: close it."


async def plan_delete_pool(
    runtime: Runtime, caller: Caller, path: Mapping[str, str], if_match: int | None
) -> DeletePlan:
    """A draft that was never funded (treasury). Stakes that were ever made restrict the others as well.

    The version is the condition of the mark: the ledger raises it with everything that it does at the pool.
    Raises Forbidden, NotFound, VersionMismatch, IllegalTransition, Unavailable while a movement is under way there.
    """
    caller.require_role(TREASURY)
    pool = await load_pool(runtime, path.get("poolId", ""))
    check_if_match(if_match, pool.edition)
    if not is_deletable(PoolState(pool.state), pool.funded):
        raise illegal_pool_action(PoolState(pool.state), DELETE, WAS_FUNDED if pool.funded else None)
    if pool.marks:
        raise Unavailable("Tokens are on their way into the pool; try again.")
    return DeletePlan(pool.id, {"version": pool.version})
