"""One OpenAPI document of what is routed, made of the services' documents."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from gateway.catalogue import Catalogue
from gateway.documents import METHODS, ServiceDocument, is_private
from gateway.metrics import VERSION

BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "The accessToken of POST /v1/auth/token.",
}
_PREFIX: Final = "#/components/"
_LEFT_OUT: Final = frozenset({"securitySchemes"})

NOTHING: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType({})

Name = tuple[str, str]
"""A component's section and its name."""


class MergedDocument:
    """Rendered once per catalogue. `own` are the path items of the gateway's own operations."""

    def __init__(self, catalogue: Callable[[], Catalogue], own: Mapping[str, Mapping[str, Any]]) -> None:
        self._catalogue = catalogue
        self._own = own
        self._rendered: tuple[Catalogue, bytes, bytes] | None = None

    async def current(self) -> tuple[bytes, bytes]:
        """ETag and body."""
        catalogue = self._catalogue()
        if self._rendered is None or self._rendered[0] is not catalogue:
            etag, body = await asyncio.to_thread(_render, catalogue, self._own)
            self._rendered = (catalogue, etag, body)
        return self._rendered[1], self._rendered[2]


def _render(catalogue: Catalogue, own: Mapping[str, Mapping[str, Any]]) -> tuple[bytes, bytes]:
    body = orjson.dumps(merge(list(catalogue.documents.values()), own))
    return b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode("ascii"), body


def merge(documents: list[ServiceDocument], own: Mapping[str, Mapping[str, Any]] = NOTHING) -> dict[str, Any]:
    """Components of one name that differ are called <service>_<name>; private paths are left out. `own` are the path
    items of the gateway's own operations."""
    conflicts = _conflicts(documents)
    components: dict[str, dict[str, Any]] = {"securitySchemes": {"bearer": BEARER}}
    paths: dict[str, Any] = {}
    tags: dict[str, dict[str, Any]] = {}
    groups: list[dict[str, Any]] = []
    entities: dict[str, Any] = {}
    seen_ids: set[str] = set()
    for document in documents:
        renaming = _Renaming(document.service, conflicts)
        for (section, name), component in _components(document):
            components.setdefault(section, {})[renaming.name((section, name))] = renaming.value(component)
        used: dict[str, None] = {}
        for path, item in document.raw["paths"].items():
            if is_private(path):
                continue
            paths[path] = {**paths.get(path, {}), **_path_item(renaming.value(item), document.service, seen_ids, used)}
        for tag in _declared_tags(document):
            tags.setdefault(tag["name"], tag)
        for tag_name in used:
            tags.setdefault(tag_name, {"name": tag_name})
        groups.append({"name": document.service, "tags": list(used)})
        entities |= {name: {**said, "service": document.service} for name, said in document.entities.items()}
    groups.append({"name": "gateway", "tags": _add_own(own, paths, tags)})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "OmniTrade",
            "version": VERSION,
            "description": "Every public operation of the platform, routed by the gateway.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": list(tags.values()),
        "x-tagGroups": groups,
        "x-entities": entities,
        "paths": dict(sorted(paths.items())),
        "components": components,
    }


def _add_own(own: Mapping[str, Mapping[str, Any]], paths: dict[str, Any], tags: dict[str, dict[str, Any]]) -> list[str]:
    """The tags of the gateway's own operations."""
    used: dict[str, None] = {}
    for path, item in own.items():
        paths.setdefault(path, {method: {**said, "x-service": "gateway"} for method, said in item.items()})
        used.update(dict.fromkeys(tag for said in item.values() for tag in said.get("tags", ())))
    for tag in used:
        tags.setdefault(tag, {"name": tag})
    return list(used)


def _declared_tags(document: ServiceDocument) -> list[dict[str, Any]]:
    tags = document.raw.get("tags")
    return [one for one in tags if isinstance(one, dict) and "name" in one] if isinstance(tags, list) else []


def _path_item(item: Mapping[str, Any], service: str, seen_ids: set[str], used: dict[str, None]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key, value in item.items():
        if key not in METHODS:
            merged[key] = value
            continue
        operation = dict(value)
        if operation.get("security") != []:
            operation.pop("security", None)
        if operation["operationId"] in seen_ids:
            operation["operationId"] = f"{service}_{operation['operationId']}"
        seen_ids.add(operation["operationId"])
        operation["tags"] = operation.get("tags") or [service]
        operation["x-service"] = service
        used.update(dict.fromkeys(operation["tags"]))
        merged[key] = operation
    return merged


def _components(document: ServiceDocument) -> Iterator[tuple[Name, Any]]:
    sections = document.raw.get("components", {})
    for section, named in sections.items() if isinstance(sections, dict) else ():
        if section not in _LEFT_OUT and isinstance(named, dict):
            for name, component in named.items():
                yield (section, name), component


def _conflicts(documents: list[ServiceDocument]) -> set[Name]:
    """Names that mean different things in two documents: by their own content, or by that of what they refer to."""
    meanings: dict[Name, list[Any]] = {}
    for document in documents:
        for name, component in _components(document):
            meanings.setdefault(name, []).append(component)
    shared = {name: found for name, found in meanings.items() if len(found) > 1}
    conflicts = {name for name, found in shared.items() if any(one != found[0] for one in found)}
    referred = {name: set(_references(found[0])) for name, found in shared.items()}
    while True:
        more = {name for name in shared.keys() - conflicts if referred[name] & conflicts}
        if not more:
            return conflicts
        conflicts |= more


def _references(value: Any) -> Iterator[Name]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, str):
            name = _name_of(one)
            if name is not None:
                yield name


def _name_of(reference: str) -> Name | None:
    """The component that a `$ref`, or a discriminator's mapping, points to."""
    section, slash, name = reference.removeprefix(_PREFIX).partition("/")
    return (section, name) if slash and reference.startswith(_PREFIX) and "/" not in name else None


class _Renaming:
    """Gives the conflicting components of one document their own names, wherever they are referred to."""

    def __init__(self, service: str, conflicts: set[Name]) -> None:
        self._service = service
        self._conflicts = conflicts

    def name(self, name: Name) -> str:
        return f"{self._service}_{name[1]}" if name in self._conflicts else name[1]

    def value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.value(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.value(one) for one in value]
        name = _name_of(value) if isinstance(value, str) else None
        return value if name is None else f"{_PREFIX}{name[0]}/{self.name(name)}"
