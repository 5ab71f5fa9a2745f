"""The slot of a change, as it is stored in the document and read back by whoever brings it to an end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.store.hidden import CHANGE, INTENT, INTENT_KIND, INTENT_TOKEN, PARENT_STATE, TOKEN
from kit.store.rows import Filter, Row, Rows
from kit.store.sessions import Session

IN_DELETION = ("deleting", "purging")
NOT_IN_DELETION: Filter = {f"{PARENT_STATE}.state": {"$nin": list(IN_DELETION)}}


@dataclass(frozen=True, slots=True)
class Patch:
    """A change by stored names, dotted ones too. `where` is what else must hold of the document when it begins."""

    values: Mapping[str, Any]
    unset: tuple[str, ...]
    where: Filter

    def applied(self, row: Mapping[str, Any]) -> Row:
        """The row as it will be, without the version's step."""
        after = dict(row)
        for path, value in self.values.items():
            _put(after, path.split("."), value)
        for path in self.unset:
            _drop(after, path.split("."))
        return after


@dataclass(frozen=True, slots=True)
class Slot:
    """Field names may be dotted, which not every store takes as a key: the patch is stored as a list."""

    document_id: str
    token: str
    version: int
    refs: tuple[str, ...]
    patch: Patch
    at: datetime

    def stored(self) -> dict[str, Any]:
        return {
            "kind": CHANGE,
            "token": self.token,
            "refs": list(self.refs),
            "at": self.at,
            "version": self.version,
            "patch": [{"field": field, "value": value} for field, value in self.patch.values.items()],
            "unset": list(self.patch.unset),
        }


def slot_of(row: Row) -> Slot | None:
    """The slot that a document holds, if any."""
    intent = row.get(INTENT)
    if intent is None or intent.get("kind") != CHANGE:
        return None
    patch = Patch({one["field"]: one["value"] for one in intent["patch"]}, tuple(intent["unset"]), {})
    return Slot(row["_id"], intent["token"], int(intent["version"]), tuple(intent["refs"]), patch, intent["at"])


def commit_of(slot: Slot) -> tuple[Filter, Filter]:
    """By (`_id`, token), the version that the patch was made on, and only if the document is not itself in deletion."""
    where = {"_id": slot.document_id, INTENT_TOKEN: slot.token, "version": slot.version, **NOT_IN_DELETION}
    update = {
        "$set": {**slot.patch.values, "updatedAt": slot.at, TOKEN: slot.token},
        "$unset": {INTENT: "", **dict.fromkeys(slot.patch.unset, "")},
        "$inc": {"version": 1},
    }
    return where, update


async def clear_slot(rows: Rows, document_id: str, token: str, *, session: Session | None = None) -> bool:
    """By (`_id`, token); the document stays."""
    where = {"_id": document_id, INTENT_TOKEN: token, INTENT_KIND: CHANGE}
    return await rows.update_one(where, {"$unset": {INTENT: ""}}, session=session)


def is_in_deletion(row: Mapping[str, Any]) -> bool:
    return row.get(PARENT_STATE, {}).get("state") in IN_DELETION


def _put(row: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        inner = row.get(name)
        row[name] = dict(inner) if isinstance(inner, Mapping) else {}
        row = row[name]
    row[path[-1]] = value


def _drop(row: dict[str, Any], path: list[str]) -> None:
    for name in path[:-1]:
        inner = row.get(name)
        if not isinstance(inner, Mapping):
            return
        row[name] = dict(inner)
        row = row[name]
    row.pop(path[-1], None)
