"""Who may delete a bot, and what must still hold when it is marked. The gateway coordinates the delete itself."""

from collections.abc import Mapping

from bots.domain.bot_life_cycle import DELETABLE, DELETE
from bots.operations.bot_transitions import illegal
from bots.operations.bots import get_bot
from kit.identity import ADMIN, Caller
from kit.preconditions import check_if_match
from kit.problems import Forbidden
from kit.references.deletes.deleting import DeletePlan
from kit.runtime import Runtime


async def plan_delete_bot(
    runtime: Runtime, caller: Caller, path: Mapping[str, str], if_match: int | None
) -> DeletePlan:
    """Its owner or an admin, while it neither holds nor manages trades.

    Raises NotFound, Forbidden, VersionMismatch, IllegalTransition.
    """
    bot = await get_bot(runtime, caller, path.get("botId", ""))
    if caller.id != bot.user_id and not caller.has(ADMIN):
        raise Forbidden("Only the bot's owner or an admin deletes it.")
    check_if_match(if_match, bot.version)
    if bot.status not in DELETABLE:
        raise illegal(bot.status, DELETE)
    return DeletePlan(bot.id, {"status": {"$in": sorted(status.value for status in DELETABLE)}}, if_match)
