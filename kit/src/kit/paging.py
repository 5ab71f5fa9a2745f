"""Lists in pages: a stable order that ends in the id, and a signed cursor that is good only for the list it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from kit.documents import Stored
    from kit.store import Collection

D = TypeVar("D", bound="Stored")

LIMIT_MAX = 200
LIMIT_DEFAULT = 50
CURSOR_LENGTH_MAX = 1024


@dataclass(frozen=True)
class SortFields:
    """What a list may be sorted by: wire names to stored names, all never null. `default` is a wire name, with "-" in front
    for descending. The id is always the last key."""

    allowed: Mapping[str, str] = field(default_factory=lambda: {"createdAt": "createdAt"})
    default: str = "-createdAt"


@dataclass(frozen=True)
class PageRequest:
    limit: int = LIMIT_DEFAULT
    cursor: str | None = None
    sort: str | None = None


async def fetch_page(
    collection: "Collection[D]", filter: dict[str, Any], request: PageRequest, sort: SortFields, key: bytes
) -> tuple[list[D], str | None]:
    """One page and the cursor of the next, None at the end. Raises InvalidRequest at /sort or /cursor."""
    raise NotImplementedError
