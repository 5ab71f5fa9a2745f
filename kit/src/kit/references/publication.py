"""What a service says about references in its OpenAPI document, found in the document itself: so nothing is declared
that is not published, and the other way round."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.documents import Entity, Part, Stored
from kit.references.declaration import DeclarationError, digest_of

DIGEST = "x-references-digest"
REQUIRE = "x-reference-require"
DEPTH_MAX = 32
_WRITES = ("post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Located:
    """Where an operation takes a reference: `place` is "body", "path" or "query"; `pointer` is "/items/*/botId" in a
    body, "/<name>" elsewhere."""

    place: str
    pointer: str
    reference: Mapping[str, Any]


def publish(document: dict[str, Any], documents: Sequence[type[Stored]]) -> dict[str, str]:
    """Adds `x-entities`, and to each write with references its digest. Returns the digests by operation id. Raises
    DeclarationError for a reference in the document that no entity here declares."""
    entities = published_entities(documents)
    document["x-entities"] = entities
    declared = {one["relationship"]: one for entity in entities.values() for one in entity["references"]}
    digests: dict[str, str] = {}
    for path, item in document.get("paths", {}).items():
        for method in _WRITES:
            operation = item.get(method)
            if operation is None:
                continue
            found = located(document, operation)
            where = f"{method.upper()} {path}"
            relationships = [one.reference for one in found] + list(_required(operation, declared, where))
            _check_declared(relationships, declared, where)
            if relationships or operation.get(REQUIRE):
                digest = digest_of([dict(one) for one in relationships])
                operation[DIGEST] = digests[operation["operationId"]] = digest
    return digests


def published_entities(documents: Sequence[type[Stored]]) -> dict[str, Any]:
    """By collection: key, references, parts, and what the entity lets others see."""
    parts: dict[str, list[dict[str, str]]] = {}
    for one in documents:
        if issubclass(one, Part):
            part = {"collection": one.collection_name(), "field": one.part_of.field}
            parts.setdefault(one.part_of.entity, []).append(part)
    return {
        one.collection_name(): _published_entity(one, parts.get(one.collection_name(), []))
        for one in documents
        if issubclass(one, Entity)
    }


def located(document: Mapping[str, Any], operation: Mapping[str, Any]) -> list[Located]:
    """The references in an operation's path, query and JSON body, wherever they hide."""
    found: list[Located] = []
    for parameter in operation.get("parameters", ()):
        schema = parameter.get("schema", {})
        pointer = f"/{parameter['name']}"
        found += [Located(parameter["in"], pointer, one) for _, one in _walk(document, schema, "", frozenset(), 0)]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    found += [Located("body", *one) for one in _walk(document, content.get("schema", {}), "", frozenset(), 0)]
    return found


def _walk(
    document: Mapping[str, Any], schema: Any, pointer: str, seen: frozenset[str], depth: int
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(schema, Mapping) or depth > DEPTH_MAX:
        return
    if "x-reference" in schema:
        yield pointer, schema["x-reference"]
    name = schema.get("$ref")
    if name is not None and name not in seen:
        yield from _walk(document, _resolved(document, name), pointer, seen | {name}, depth + 1)
    for alternatives in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(alternatives, ()):
            yield from _walk(document, one, pointer, seen, depth + 1)
    for field, inner in schema.get("properties", {}).items():
        yield from _walk(document, inner, f"{pointer}/{field}", seen, depth + 1)
    for inner in (schema.get("items"), *schema.get("prefixItems", ()), schema.get("additionalProperties")):
        yield from _walk(document, inner, f"{pointer}/*", seen, depth + 1)


def _resolved(document: Mapping[str, Any], name: str) -> Any:
    found: Any = document
    for step in name.removeprefix("#/").split("/"):
        found = found[step]
    return found


def _required(operation: Mapping[str, Any], declared: Mapping[str, Any], where: str) -> Iterator[Mapping[str, Any]]:
    """The relationships that `x-reference-require` lists, if it lists any: the service names their parents itself."""
    required = operation.get(REQUIRE)
    for relationship in required if isinstance(required, list) else ():
        if relationship not in declared:
            raise DeclarationError(f"{where}: {REQUIRE} names {relationship}, which no entity here declares")
        yield declared[relationship]


def _check_declared(
    relationships: Sequence[Mapping[str, Any]], declared: Mapping[str, Mapping[str, Any]], where: str
) -> None:
    for one in relationships:
        if declared.get(one["relationship"]) != one:
            raise DeclarationError(
                f"{where} takes {one['relationship']}, which none of this service's documents declares like that"
            )


def _published_entity(entity: type[Entity], parts: list[dict[str, str]]) -> dict[str, Any]:
    rules = entity.rules
    said: dict[str, Any] = {
        "key": rules.key,
        "references": [one.published() for one in entity.references.values()],
        "parts": parts,
        "exposes": sorted({*rules.exposes, *(rules.composite or ())}),
        "conditions": sorted(rules.conditions),
        "referableBy": [rule.published() for rule in rules.referable_by],
    }
    if rules.composite is not None:
        said["composite"] = list(rules.composite)
    return said
