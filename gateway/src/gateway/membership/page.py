"""`/v1/references` and below: the catalogue with its state at the owners, and an operator's commands. For admins."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import orjson

from gateway.answers import answer
from gateway.catalogue import Catalogue
from gateway.membership.described import LISTED, PATH, REMOVED, RESTORED, ROLE, catalogue_body
from gateway.membership.operators import Operators
from gateway.membership.registries import RegistryReader
from gateway.own_api import OwnOperation
from gateway.request import Request
from kit.problems import FieldError, InvalidRequest, NotFound

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}\.[A-Za-z][A-Za-z0-9]{0,62}\Z")


class ReferencesPage:
    """`request.caller` is signed in by now."""

    def __init__(self, reader: RegistryReader, operators: Operators, catalogue: Callable[[], Catalogue]) -> None:
        self._reader = reader
        self._operators = operators
        self._catalogue = catalogue

    def operations(self) -> list[OwnOperation]:
        one = f"{PATH}/{{relationship}}"
        return [
            OwnOperation("GET", PATH, self._list, LISTED),
            OwnOperation("DELETE", one, self._remove, REMOVED),
            OwnOperation("POST", f"{one}/restore", self._restore, RESTORED),
        ]

    async def _list(self, request: Request, _: Mapping[str, str]) -> None:
        request.caller.require_role(ROLE)
        await answer(request, 200, orjson.dumps(catalogue_body(self._catalogue(), await self._reader.read())))

    async def _remove(self, request: Request, values: Mapping[str, str]) -> None:
        request.caller.require_role(ROLE)
        name, is_gone = _relationship(values), _service_is_gone(request.query)
        await _done(request, await self._operators.remove(name, request.caller, service_is_gone=is_gone))

    async def _restore(self, request: Request, values: Mapping[str, str]) -> None:
        request.caller.require_role(ROLE)
        await _done(request, await self._operators.restore(_relationship(values), request.caller))


async def _done(request: Request, said: Mapping[str, Any]) -> None:
    await answer(request, 200, orjson.dumps(said))


def _relationship(values: Mapping[str, str]) -> str:
    """Raises NotFound for what names none."""
    name = unquote(values["relationship"])
    if _NAME.match(name) is None:
        raise NotFound("A relationship is named by its collection and field, such as trading_bots.userId.")
    return name


def _service_is_gone(query: bytes) -> bool:
    """Raises InvalidRequest for what is neither true nor false."""
    given = dict(parse_qsl(query.decode("ascii"), keep_blank_values=True)).get("serviceIsGone", "false")
    if given not in ("true", "false"):
        raise InvalidRequest(errors=[FieldError("/serviceIsGone", "invalid", "It is true or false.")])
    return given == "true"
