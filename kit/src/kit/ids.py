"""Ids are lower-case UUIDv7 strings: unique without a round trip, and in the order of their making."""

import re
from typing import Annotated

from pydantic import StringConstraints
from uuid_utils import uuid7

UUID7_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
_UUID7 = re.compile(UUID7_PATTERN[:-1] + r"\Z")


class IdMarker:
    """Marks a string field as the id of a document, so that declarations can be checked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "IdMarker()"


Id = Annotated[str, StringConstraints(pattern=UUID7_PATTERN, max_length=36), IdMarker()]


def new_id() -> str:
    return str(uuid7())


def is_id(value: object) -> bool:
    return isinstance(value, str) and _UUID7.match(value) is not None
