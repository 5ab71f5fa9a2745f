"""How the merged document describes the audits' operations."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.integrity.bodies import ITEMS_MAX, LIST_DEFAULT, LIST_MAX, RELATIONSHIPS_MAX, TEXT_LENGTH_MAX
from gateway.integrity.repairer import ACTIONS
from gateway.own_api import refusals
from kit.ids import UUID7_PATTERN
from kit.problems import Forbidden, IdempotencyMismatch, InvalidRequest, NotFound, Unavailable, UnsupportedMediaType

PATH: Final = "/v1/integrity/audits"
ONE: Final = f"{PATH}/{{auditId}}"
REPAIRS: Final = f"{ONE}/repairs"

Schema = dict[str, Any]
_TEXT: Final[Schema] = {"type": "string"}
_NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": TEXT_LENGTH_MAX}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_FLAG: Final[Schema] = {"type": "boolean"}
_ID: Final[Schema] = {"type": "string", "pattern": UUID7_PATTERN}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(*, optional: tuple[str, ...] = (), **properties: Schema) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_AGE: Final = _or_null({"type": "number"})
_STATE: Final[Schema] = {"enum": ["running", "done", "failed"]}
_ORPHAN: Final = _object(childId=_TEXT, parentId=_TEXT, reason={"enum": ["absent", "mismatch"]})
_UNREACHABLE: Final = _list(_object(service=_TEXT, reason=_TEXT))
_RELATIONSHIP: Final = _object(
    relationship=_TEXT,
    parent=_TEXT,
    value=_or_null(_TEXT),
    kind={"enum": ["reference", "part"]},
    childrenRead=_COUNT,
    orphanCount=_COUNT,
    orphans=_list(_ORPHAN),
    intents=_list(_object(childId=_TEXT, kind={"enum": ["create", "change"]}, ageS=_AGE)),
    closures=_list(_object(key=_TEXT, kind={"enum": ["stale", "ahead", "barring"]}, ageS=_AGE)),
    closureCount=_COUNT,
    isComplete=_FLAG,
    reason=_or_null(_TEXT),
    checkedAt=_or_null(_TIME),
)
_SUMMARY: Final = _object(auditId=_ID, state=_STATE, startedAt=_TIME, finishedAt=_or_null(_TIME), orphanCount=_COUNT)
_OWNER: Final = _object(
    service=_TEXT,
    stuck=_list(_object(entity=_TEXT, id=_TEXT, state=_TEXT, epoch=_COUNT, deletionId=_or_null(_TEXT))),
    stuckCount=_COUNT,
    undeclared=_list(_object(relationship=_TEXT, parent=_TEXT, service=_TEXT, registeredAt=_TIME, isValidated=_FLAG)),
    undeclaredCount=_COUNT,
    isComplete=_FLAG,
    reason=_or_null(_TEXT),
)
_AUDIT: Final = _object(
    auditId=_ID,
    state=_STATE,
    startedAt=_TIME,
    finishedAt=_or_null(_TIME),
    orphanCount=_COUNT,
    isComplete=_FLAG,
    relationships=_list(_RELATIONSHIP),
    owners=_list(_OWNER),
    unreachable=_UNREACHABLE,
)
_ITEM: Final[Schema] = {
    **_object(optional=("childId",), relationship=_NAME, childId=_NAME, parentId=_NAME, action={"enum": list(ACTIONS)}),
    "additionalProperties": False,
}
_REPAIRED: Final = _object(
    optional=("deletionId",),
    relationship=_TEXT,
    childId=_or_null(_TEXT),
    parentId=_TEXT,
    action=_TEXT,
    result={"enum": ["removed", "quarantined", "deleting", "raised", "gone", "nothing-to-do", "not-repaired"]},
    code=_or_null(_TEXT),
    detail=_TEXT,
    deletionId=_TEXT,
)
_AUDIT_ID: Final = {"name": "auditId", "in": "path", "required": True, "schema": _ID}


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _operation(operation_id: str, summary: str, description: str, **more: Any) -> Mapping[str, Any]:
    return {
        "operationId": operation_id,
        "summary": summary,
        "description": description,
        "tags": ["integrity"],
        "x-service": "gateway",
        **more,
    }


BEGIN: Final = _operation(
    "beginAudit",
    "Audit every reference",
    "Compares the children of every relationship, or of those named, with their parents, and the closures with their "
    "owners, against live traffic: a suspect is looked at again before it counts.",
    parameters=[
        {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The same audit is begun once; while a service can't be asked whether it was, none is.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }
    ],
    requestBody={
        "content": _json(
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "relationships": {
                        "type": "array",
                        "items": _NAME,
                        "minItems": 1,
                        "maxItems": RELATIONSHIPS_MAX,
                        "description": "All of them, if it is left out.",
                    }
                },
            }
        )
    },
    responses={
        "202": {
            "description": "It is running.",
            "headers": {
                "Location": {"description": "Where its report grows.", "schema": _TEXT},
                "Idempotency-Replayed": {
                    "description": "`true` if an earlier request with this key began it.",
                    "schema": {"const": "true"},
                },
            },
            "content": _json(_object(auditId=_ID, state=_STATE)),
        },
        **refusals(InvalidRequest, Forbidden, IdempotencyMismatch, UnsupportedMediaType, Unavailable),
    },
)
LIST: Final = _operation(
    "listAudits",
    "The latest audits",
    "The newest first.",
    parameters=[
        {
            "name": "limit",
            "in": "query",
            "schema": {"type": "integer", "minimum": 1, "maximum": LIST_MAX, "default": LIST_DEFAULT},
        }
    ],
    responses={
        "200": {
            "description": "Those that the services still keep.",
            "content": _json(_object(items=_list(_SUMMARY), nextCursor={"type": "null"}, unreachable=_UNREACHABLE)),
        },
        **refusals(InvalidRequest, Forbidden, Unavailable),
    },
)
READ: Final = _operation(
    "readAudit",
    "One audit",
    "What was found so far, per relationship. What was not read is not complete, with the reason. An orphan that is "
    "listed can be repaired; of each list at most a thousand are.",
    parameters=[_AUDIT_ID],
    responses={
        "200": {"description": "The audit.", "content": _json(_AUDIT)},
        **refusals(InvalidRequest, Forbidden, NotFound, Unavailable),
    },
)
REPAIR: Final = _operation(
    "repairFindings",
    "Repair what an audit named",
    "Removes or quarantines children as they were reported, after the owner confirmed that the parent is not there; "
    "raises a parent's epoch above a closure that bars creates. May be repeated: each item says what became of it. "
    "What there is no time for in this request is not begun, and is told to be `unreachable`.",
    parameters=[_AUDIT_ID],
    requestBody={
        "required": True,
        "content": _json(
            {
                **_object(items={**_list(_ITEM), "minItems": 1, "maxItems": ITEMS_MAX}),
                "additionalProperties": False,
            }
        ),
    },
    responses={
        "200": {
            "description": "One result per item, in order.",
            "content": _json(_object(auditId=_ID, items=_list(_REPAIRED))),
        },
        **refusals(InvalidRequest, Forbidden, NotFound, UnsupportedMediaType, Unavailable),
    },
)
