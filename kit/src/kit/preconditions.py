"""Versions as entity tags: `ETag` on documents, `If-Match` on changes."""

import re

from kit.problems import FieldError, InvalidRequest, VersionMismatch

_ENTITY_TAG = re.compile(r'(?P<weak>W/)?"(?P<tag>[\x21\x23-\x7e]*)"\Z')
_VERSION_DIGITS_MAX = 15


def etag(version: int) -> str:
    return f'"{version}"'


def check_if_match(expected: int | None, actual: int) -> None:
    """Raises VersionMismatch unless `expected` is None (the client sent no `If-Match`) or equals `actual`."""
    if expected is not None and expected != actual:
        raise VersionMismatch("Read the document again and repeat the change on its current version.")


def parse_if_match(header: str | None) -> int | None:
    """The version that an `If-Match` header asks for; None without one and for `*`.

    Raises VersionMismatch for an entity tag that no version has, InvalidRequest for what is no entity tag.
    """
    if header is None or header.strip() == "*":
        return None
    match = _ENTITY_TAG.match(header.strip())
    if match is None:
        problem = FieldError("/If-Match", "bad-format", 'Send one ETag as it was received, such as "3".')
        raise InvalidRequest("The If-Match header is not an entity tag.", errors=[problem])
    tag = match["tag"]
    if match["weak"] or not (tag.isascii() and tag.isdigit() and len(tag) <= _VERSION_DIGITS_MAX):
        raise VersionMismatch("The entity tag is not one of this document's.")
    return int(tag)
