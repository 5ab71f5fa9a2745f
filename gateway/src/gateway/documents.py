"""A service's OpenAPI document, read into what the gateway needs of it: operations with their references, and
entities."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.reference_spec import ON_DELETE, DocumentRefusedError, ReferenceSpec, read_reference
from gateway.schema_reader import Node, SchemaReader, specs_of
from kit.strict_json import nests_deeper

METHODS: Final = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
READS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
OPERATIONS_MAX: Final = 2_000
DEPTH_MAX: Final = 100
"""Levels of objects and arrays in a document."""
BODY_BYTES_MAX_MAX: Final = 256 * 1024 * 1024
_PRIVATE: Final = ("/internal", "/metrics", "/health", "/openapi.json", "/docs")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation that is routed. `digest` is what the service calls its references; `asks_service` says that the
    service itself names the parents that are meant (`x-reference-require`); `deletes` is the entity whose deletes the
    gateway coordinates (`x-reference-delete`)."""

    service: str
    method: str
    path: str
    operation_id: str
    public: bool
    body: Node | None
    path_references: tuple[tuple[str, ReferenceSpec], ...]
    query_references: tuple[tuple[str, ReferenceSpec], ...]
    digest: str | None
    asks_service: bool
    body_bytes_max: int | None
    deletes: str | None = None

    @property
    def is_write(self) -> bool:
        return self.method not in READS

    @property
    def has_references(self) -> bool:
        return bool(self.body or self.path_references or self.query_references or self.asks_service or self.digest)


@dataclass(frozen=True, slots=True)
class Relationship:
    """One reference of an entity to one parent, as its owner registers it."""

    name: str
    child: str
    parent: str
    published: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ServiceDocument:
    service: str
    digest: str
    raw: Mapping[str, Any]
    operations: tuple[Operation, ...]
    entities: Mapping[str, Mapping[str, Any]]
    relationships: tuple[Relationship, ...]

    def parents(self) -> Iterator[tuple[str, str]]:
        """Every (where, entity) that this document refers to."""
        for one in self.relationships:
            yield one.name, one.parent
        for operation in self.operations:
            for spec in operation_specs(operation):
                for parent in spec.parents.values():
                    yield f"{operation.method} {operation.path}: {spec.relationship}", parent.parent


def read_document(service: str, body: bytes) -> ServiceDocument:
    """Raises DocumentRefusedError, saying what is wrong and where."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise DocumentRefusedError(f"the document is not JSON: {error.msg}, at position {error.pos}") from None
    if nests_deeper(raw, DEPTH_MAX):
        raise DocumentRefusedError(f"the document nests too deep, over {DEPTH_MAX} levels")
    return _read(service, raw, hashlib.sha256(body).hexdigest())


def _read(service: str, raw: Any, digest: str) -> ServiceDocument:
    if not isinstance(raw, dict) or not isinstance(raw.get("openapi"), str) or not raw["openapi"].startswith("3."):
        raise DocumentRefusedError("the document is not OpenAPI 3")
    if raw.get("x-service", service) != service:
        raise DocumentRefusedError(f"the document is of the service {raw['x-service']!r}, not of {service}")
    paths = raw.get("paths")
    if not isinstance(paths, dict):
        raise DocumentRefusedError("the document has no paths")
    entities = _entities(raw)
    relationships = tuple(_relationships(entities))
    operations = tuple(_operations(service, raw, paths))
    known = {one.name for one in relationships}
    for operation in operations:
        if operation.deletes is not None and operation.deletes not in entities:
            raise DocumentRefusedError(f"DELETE {operation.path}: {operation.deletes} is no entity in x-entities")
        for spec in operation_specs(operation):
            if spec.relationship not in known:
                raise DocumentRefusedError(
                    f"{operation.method} {operation.path}: {spec.relationship} is no reference in x-entities"
                )
    return ServiceDocument(service, digest, raw, operations, entities, relationships)


def operation_specs(operation: Operation) -> Iterator[ReferenceSpec]:
    for _, spec in (*operation.path_references, *operation.query_references):
        yield spec
    if operation.body is not None:
        yield from specs_of(operation.body)


def _entities(raw: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    entities = raw.get("x-entities")
    if not isinstance(entities, dict) or not all(isinstance(one, dict) for one in entities.values()):
        raise DocumentRefusedError("the document has no x-entities")
    for name, entity in entities.items():
        if not isinstance(entity.get("key"), str) or not entity["key"]:
            raise DocumentRefusedError(f"x-entities/{name}: no key")
        references = entity.get("references", [])
        if not isinstance(references, list):
            raise DocumentRefusedError(f"x-entities/{name}: references is not an array")
    return entities


def _relationships(entities: Mapping[str, Mapping[str, Any]]) -> Iterator[Relationship]:
    for child, entity in entities.items():
        for said in entity.get("references", []):
            where = f"x-entities/{child}"
            spec = read_reference(said, {"type": "string"}, where)
            if spec.relationship != f"{child}.{spec.field}":
                raise DocumentRefusedError(f"{where}: {spec.relationship} is a relationship of another entity")
            for parent in spec.parents.values():
                published = {
                    "relationship": spec.relationship,
                    "parent": parent.parent,
                    "onDelete": said["onDelete"],
                    **{name: dict(value) for name, value in _maps(parent.match, parent.copy, parent.key) if value},
                }
                yield Relationship(spec.relationship, child, parent.parent, published)


def _maps(*values: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    yield from zip(("match", "copy", "key"), values, strict=True)


def _operations(service: str, raw: Mapping[str, Any], paths: Mapping[str, Any]) -> Iterator[Operation]:
    reader = SchemaReader(raw)
    public_by_default = raw.get("security") == []
    count = 0
    for path, item in paths.items():
        if not isinstance(item, dict) or not path.startswith("/"):
            raise DocumentRefusedError(f"{path}: not a path with operations")
        if is_private(path):
            continue
        for method, operation in item.items():
            if method not in METHODS:
                continue
            if not isinstance(operation, dict):
                raise DocumentRefusedError(f"{method.upper()} {path}: not an operation")
            count += 1
            if count > OPERATIONS_MAX:
                raise DocumentRefusedError(f"the document has more than {OPERATIONS_MAX} operations")
            yield _operation(
                service,
                reader,
                f"{method.upper()} {path}",
                operation,
                shared=item.get("parameters", []),
                public_by_default=public_by_default,
            )


def is_private(path: str) -> bool:
    """Whether a path is the gateway's own, or between the gateway and a service; those of services are never routed."""
    return any(path == one or path.startswith(one + "/") for one in _PRIVATE)


def _operation(
    service: str,
    reader: SchemaReader,
    where: str,
    said: Mapping[str, Any],
    *,
    shared: Any,
    public_by_default: bool,
) -> Operation:
    method, _, path = where.partition(" ")
    operation_id = said.get("operationId")
    if not isinstance(operation_id, str) or not operation_id:
        raise DocumentRefusedError(f"{where}: no operationId")
    writes = method not in READS
    parameters = [*shared, *said.get("parameters", [])] if isinstance(said.get("parameters", []), list) else None
    if parameters is None or not all(isinstance(one, dict) for one in parameters):
        raise DocumentRefusedError(f"{where}: parameters is not an array of objects")
    body = _body(reader, said, where) if writes else None
    path_references = _parameters(parameters, "path", where) if writes else ()
    query_references = _parameters(parameters, "query", where) if writes else ()
    digest = said.get("x-references-digest")
    asks = bool(said.get("x-reference-require"))
    if digest is not None and not isinstance(digest, str):
        raise DocumentRefusedError(f"{where}: x-references-digest is no string")
    if (body or path_references or query_references) and digest is None:
        raise DocumentRefusedError(f"{where}: the operation has references but no x-references-digest")
    if digest is not None and not (body or path_references or query_references or asks):
        raise DocumentRefusedError(f"{where}: x-references-digest, but no reference is found in the request")
    security = said.get("security")
    return Operation(
        service=service,
        method=method,
        path=path,
        operation_id=operation_id,
        public=security == [] if security is not None else public_by_default,
        body=body,
        path_references=path_references,
        query_references=query_references,
        digest=digest,
        asks_service=asks,
        body_bytes_max=_body_bytes_max(said, where),
        deletes=_deletes(said, where),
    )


def _body(reader: SchemaReader, said: Mapping[str, Any], where: str) -> Node | None:
    content = (said.get("requestBody") or {}).get("content") or {}
    if not isinstance(content, dict):
        raise DocumentRefusedError(f"{where}: the content of requestBody is not an object")
    nodes: dict[str, Node | None] = {}
    for media_type, one in content.items():
        schema = one.get("schema") if isinstance(one, dict) else None
        nodes[media_type] = None if schema is None else reader.read(schema, f"{where} body")
    found = nodes.pop("application/json", None)
    if any(nodes.values()):
        raise DocumentRefusedError(f"{where}: references in a body that is not application/json")
    return found


def _parameters(parameters: list[dict[str, Any]], place: str, where: str) -> tuple[tuple[str, ReferenceSpec], ...]:
    found: list[tuple[str, ReferenceSpec]] = []
    for parameter in parameters:
        name, schema = parameter.get("name"), parameter.get("schema")
        if parameter.get("in") != place or not isinstance(name, str) or not isinstance(schema, dict):
            continue
        for one in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
            if isinstance(one, dict) and "x-reference" in one:
                found.append((name, read_reference(one["x-reference"], one, f"{where} {name}")))
                break
    return tuple(found)


def _body_bytes_max(said: Mapping[str, Any], where: str) -> int | None:
    given = said.get("x-body-bytes-max")
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or not 0 < given <= BODY_BYTES_MAX_MAX:
        raise DocumentRefusedError(f"{where}: x-body-bytes-max is no number of bytes up to {BODY_BYTES_MAX_MAX}")
    return given


def _deletes(said: Mapping[str, Any], where: str) -> str | None:
    entity = said.get("x-reference-delete")
    if entity is not None and not (isinstance(entity, str) and entity and where.startswith("DELETE ")):
        raise DocumentRefusedError(f"{where}: x-reference-delete is for a DELETE, and names the entity")
    return entity


__all__ = ["ON_DELETE", "Operation", "Relationship", "ServiceDocument", "read_document"]
