"""What the owners' registries say of each relationship, asked live. That an owner can't be asked is an answer too."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.catalogue import Catalogue
from gateway.internal import InternalCalls, json_object
from gateway.registration import Registration
from gateway.upstream_errors import BadAnswerError, UpstreamError

PREFIX: Final = "/internal/references/relationships/"
LIST: Final = PREFIX + "list"
LIST_S: Final = 2.0
REGISTERED: Final = "registered"
REMOVED: Final = "removed"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Registries:
    """`rows` by owner, `unknown` the reason by owner that gave none, `refused` the owners' reasons by relationship and
    parent."""

    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def of(self, relationship: str) -> dict[str, list[Row]]:
        """Its rows by owner."""
        found = {
            owner: [row for row in rows if row["relationship"] == relationship] for owner, rows in self.rows.items()
        }
        return {owner: rows for owner, rows in found.items() if rows}

    def removed(self) -> set[tuple[str, str]]:
        """(relationship, parent) of what is known to be removed."""
        found = (row for rows in self.rows.values() for row in rows if row["state"] == REMOVED)
        return {(row["relationship"], row["parent"]) for row in found}

    def standing(self, owner: str | None, relationship: str, parent: str, service: str) -> dict[str, Any]:
        """One relationship at one owner: its `state` there and whatever else the owner says of it."""
        if owner is None:
            return _stands(parent, None, "unknown", reason=f"no service that has {parent} is known yet")
        if owner in self.unknown:
            return _stands(parent, owner, "unknown", reason=self.unknown[owner])
        for row in self.rows.get(owner, ()):
            if (row["relationship"], row["parent"]) != (relationship, parent):
                continue
            if row["service"] != service:
                return _stands(parent, owner, "refused", reason=f"it belongs to the service {row['service']}")
            return {**row, "parent": parent, "owner": owner}
        reason = self.refused.get((relationship, parent))
        if reason is not None:
            return _stands(parent, owner, "refused", reason=reason)
        return _stands(parent, owner, "unregistered", reason="the owner was not told of it yet")


def _stands(parent: str, owner: str | None, state: str, *, reason: str) -> dict[str, Any]:
    return {"parent": parent, "owner": owner, "state": state, "reason": reason}


class RegistryReader:
    def __init__(
        self, calls: Mapping[str, InternalCalls], registration: Registration, catalogue: Callable[[], Catalogue]
    ) -> None:
        self._calls = calls
        self._registration = registration
        self._catalogue = catalogue

    async def read(self) -> Registries:
        """Asks every service, at once and for LIST_S at most. A service without a document may be an owner too."""
        owners = sorted(self._calls)
        answers = await asyncio.gather(*(self._rows(owner) for owner in owners))
        found = dict(zip(owners, answers, strict=True))
        return Registries(
            {owner: rows for owner, rows in found.items() if isinstance(rows, tuple)},
            {owner: reason for owner, reason in found.items() if isinstance(reason, str)},
            dict(self._registration.refused),
        )

    async def _rows(self, owner: str) -> tuple[Row, ...] | str:
        """Its rows, or why there are none."""
        try:
            async with asyncio.timeout(LIST_S):
                if owner in self._catalogue().documents:
                    await self._registration.ensure(owner)
                return read_rows(json_object(await self._calls[owner].post(LIST, {}, timeout_s=LIST_S)))
        except TimeoutError:
            return f"{owner} has not answered in time"
        except UpstreamError as error:
            return f"{owner}: {error}"


def read_rows(said: Mapping[str, Any]) -> tuple[Row, ...]:
    """Raises BadAnswerError."""
    rows = said.get("relationships")
    if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
        raise BadAnswerError("the owner's answer does not list relationships")
    return tuple(rows)


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and all(
        isinstance(row.get(name), str) for name in ("relationship", "parent", "service", "state")
    )
