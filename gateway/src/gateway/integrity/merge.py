"""One audit of many services' parts: what is said of it as a whole. What was not read is never said to be well."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.integrity.plan import key_of, not_checked
from kit.references.audits.audit_findings import OwnerReport
from kit.references.audits.audit_records import DONE, FAILED, RUNNING

Head = Mapping[str, Any]
"""A service's part of an audit."""
_TEXTS: Final = ("auditId", "state", "startedAt")
_COUNTS: Final = ("beat", "orphanCount")
_LISTS: Final = ("services", "unknown")
_PLANNED: Final = ("relationship", "parent", "kind", "service")


def is_head(said: Any) -> bool:
    """Whether a service's word is of the form that it has in its lists, where there are no reports."""
    return (
        isinstance(said, dict)
        and all(isinstance(said.get(name), str) for name in _TEXTS)
        and all(isinstance(said.get(name), int) for name in _COUNTS)
        and all(_are(said.get(name), str) for name in _LISTS)
        and (said["state"] == RUNNING or isinstance(said.get("finishedAt"), str))
    )


def is_planned(said: Any) -> bool:
    """The same with its plan, by which it can be driven."""
    return (
        is_head(said)
        and _are(said.get("planned"), dict)
        and all(isinstance(one.get(name), str) for one in said["planned"] for name in _PLANNED)
        and (said.get("asked") is None or _are(said["asked"], str))
    )


def heads_of(answer: Mapping[str, Any]) -> list[Head]:
    """Those that a service lists; what makes no sense is left out."""
    listed = answer.get("audits")
    return [one for one in listed if is_head(one)] if isinstance(listed, list) else []


def is_whole(said: Any) -> bool:
    """The same with its plan and its reports."""
    return (
        is_planned(said)
        and _are(said.get("reports"), dict)
        and all(isinstance(one.get("orphanCount"), int) and "isComplete" in one for one in said["reports"])
        and (said.get("owner") is None or (isinstance(said["owner"], dict) and "isComplete" in said["owner"]))
    )


def _are(listed: Any, wanted: type) -> bool:
    return isinstance(listed, list) and all(isinstance(one, wanted) for one in listed)


def merged(audit_id: str, heads: Mapping[str, Head], unreachable: Mapping[str, str]) -> dict[str, Any]:
    """`heads` are the parts that were found, one at least; `unreachable` why a service can't be asked now. Parts are
    of one plan, or else of every plan that one of them was begun with."""
    services = {service for head in heads.values() for service in head["services"]}
    planned = {(one["service"], *key_of(one)): one for head in heads.values() for one in head["planned"]}
    missing = {service: "it could not be asked when the audit began" for service in services if service not in heads}
    missing |= {service: reason for service, reason in unreachable.items() if service in services}
    unknown = {service for head in heads.values() for service in head["unknown"]}
    missing |= dict.fromkeys(unknown, "its document was not known when the audit began")
    relationships = [_report(said, heads.get(said["service"]), missing) for said in planned.values()]
    owners = [_owner(service, head) for service, head in heads.items() if head["state"] != RUNNING]
    state = _state(heads.values())
    return {
        "auditId": audit_id,
        "state": state,
        "startedAt": min(one["startedAt"] for one in heads.values()),
        "finishedAt": _finished_at(heads.values(), state),
        "orphanCount": sum(one["orphanCount"] for one in relationships),
        "isComplete": state == DONE
        and not missing
        and all(one["isComplete"] is True for one in (*relationships, *owners)),
        "relationships": relationships,
        "owners": owners,
        "unreachable": [{"service": service, "reason": reason} for service, reason in sorted(missing.items())],
    }


def summaries(parts: Mapping[str, Sequence[Head]], limit: int) -> list[dict[str, Any]]:
    """The newest first, by what each service lists."""
    by_audit: dict[str, dict[str, Head]] = {}
    for service, heads in parts.items():
        for head in heads:
            by_audit.setdefault(str(head["auditId"]), {})[service] = head
    found = [_summary(audit_id, list(heads.values())) for audit_id, heads in by_audit.items()]
    return sorted(found, key=lambda one: (one["startedAt"], one["auditId"]), reverse=True)[:limit]


def _summary(audit_id: str, heads: Sequence[Head]) -> dict[str, Any]:
    state = _state(heads)
    return {
        "auditId": audit_id,
        "state": state,
        "startedAt": min(one["startedAt"] for one in heads),
        "finishedAt": _finished_at(heads, state),
        "orphanCount": sum(int(one["orphanCount"]) for one in heads),
    }


def _report(said: Mapping[str, Any], head: Head | None, missing: Mapping[str, str]) -> Mapping[str, Any]:
    service = said["service"]
    if head is None:
        return not_checked(said, f"{service} was not asked: {missing.get(service, 'it is not there')}")
    for report in head.get("reports", ()):
        if key_of(report) == key_of(said):
            return dict(report)
    return not_checked(said, "It is not read yet." if head["state"] == RUNNING else head.get("reason") or "Not read.")


def _owner(service: str, head: Head) -> Mapping[str, Any]:
    """What was found at the owner, by a part that has ended; if nothing was read there, that is said."""
    owner: Mapping[str, Any] | None = head.get("owner")
    if owner is not None:
        return owner
    report = OwnerReport(service)
    report.cut_short(head.get("reason") or "Not read.")
    return report.body()


def _state(heads: Any) -> str:
    states = {one["state"] for one in heads}
    if RUNNING in states:
        return RUNNING
    return FAILED if FAILED in states else DONE


def _finished_at(heads: Any, state: str) -> str | None:
    return None if state == RUNNING else max(str(one["finishedAt"]) for one in heads)
