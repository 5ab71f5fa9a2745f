"""The audits' public operations, for admins: begin one, list them, read one, repair what one named."""

from collections.abc import Mapping

import orjson

from gateway.answers import answer
from gateway.integrity import described
from gateway.integrity.auditor import Auditor
from gateway.integrity.bodies import idempotency_key, list_limit, relationship_names, repair_items
from gateway.integrity.repairer import Repairer
from gateway.own_api import OwnOperation, read_object
from gateway.request import Request
from kit.idempotency import REPLAYED_HEADER_NAME
from kit.identity import ADMIN
from kit.ids import is_id
from kit.problems import NotFound


class IntegrityPages:
    """`request.caller` is signed in by now."""

    def __init__(self, auditor: Auditor, repairer: Repairer) -> None:
        self._auditor = auditor
        self._repairer = repairer

    def operations(self) -> list[OwnOperation]:
        return [
            OwnOperation("POST", described.PATH, self._begin, described.BEGIN),
            OwnOperation("GET", described.PATH, self._list, described.LIST),
            OwnOperation("GET", described.ONE, self._read, described.READ),
            OwnOperation("POST", described.REPAIRS, self._repair, described.REPAIR),
        ]

    async def _begin(self, request: Request, _: Mapping[str, str]) -> None:
        request.caller.require_role(ADMIN)
        names = relationship_names(await read_object(request))
        begun = await self._auditor.begin(names, request.caller, idempotency_key(request))
        more = [(b"location", f"{described.PATH}/{begun.audit_id}".encode("ascii"))]
        if begun.is_replayed:
            more.append((REPLAYED_HEADER_NAME.lower().encode("ascii"), b"true"))
        body = {"auditId": begun.audit_id, "state": "running"}
        await answer(request, 202, orjson.dumps(body), more=more)

    async def _list(self, request: Request, _: Mapping[str, str]) -> None:
        request.caller.require_role(ADMIN)
        limit = list_limit(request.query)
        await answer(request, 200, orjson.dumps(await self._auditor.latest(limit)))

    async def _read(self, request: Request, values: Mapping[str, str]) -> None:
        request.caller.require_role(ADMIN)
        await answer(request, 200, orjson.dumps(await self._auditor.read(_audit_id(values))))

    async def _repair(self, request: Request, values: Mapping[str, str]) -> None:
        request.caller.require_role(ADMIN)
        times = self._repairer.times()
        items = repair_items(await read_object(request))
        audit_id = _audit_id(values)
        await self._auditor.check_there(audit_id, by=times.check_by)
        repaired = await self._repairer.repair(audit_id, items, request.caller, times)
        await answer(request, 200, orjson.dumps({"auditId": audit_id, "items": repaired}))


def _audit_id(values: Mapping[str, str]) -> str:
    audit_id = values["auditId"]
    if not is_id(audit_id):
        raise NotFound("There is no such audit.")
    return audit_id
