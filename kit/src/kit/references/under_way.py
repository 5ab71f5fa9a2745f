"""What is under way in a collection: the intents of creates, and the slots of changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit.references.create_recovery import remove_intent
from kit.references.slots import clear_slot
from kit.store.hidden import CREATE, INTENT, INTENT_REFS
from kit.store.rows import Rows
from kit.store.sessions import Session

PAGE = 500


@dataclass(frozen=True, slots=True)
class UnderWay:
    """`intent` is as it is stored."""

    id: str
    intent: Mapping[str, Any]

    @property
    def token(self) -> str:
        return str(self.intent["token"])

    def names(self, prefix: str) -> bool:
        """Whether something that it refers to is named so."""
        return any(one.startswith(prefix) for one in self.intent["refs"])

    async def undo(self, rows: Rows, *, session: Session | None = None) -> bool:
        """Removes the create, or clears the slot, by its token, by which whoever wrote it finds out. Whether it was
        there still."""
        undo = remove_intent if self.intent["kind"] == CREATE else clear_slot
        return await undo(rows, self.id, self.token, session=session)


async def under_way(
    rows: Rows, *, prefix: str | None = None, limit: int, session: Session | None = None
) -> list[UnderWay]:
    """In the order of their ids, about `limit` at most; with `prefix`, those that name something that begins so."""
    found: list[UnderWay] = []
    after = ""
    while len(found) < limit:
        where = {INTENT_REFS: {"$exists": True}, "_id": {"$gt": after}}
        page = await rows.find(where, fields=[INTENT], sort=[("_id", 1)], limit=PAGE, session=session)
        seen = (UnderWay(row["_id"], row[INTENT]) for row in page)
        found += [one for one in seen if prefix is None or one.names(prefix)]
        if len(page) < PAGE:
            break
        after = page[-1]["_id"]
    return found
