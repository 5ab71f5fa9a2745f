"""Finds the references in an operation's schemas, wherever they hide: `$ref`, `anyOf` with null, `oneOf`, `allOf`,
`items`, nested objects, maps. What comes out is a tree (or a graph, where schemas are recursive) that a body is
walked along."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.reference_spec import DocumentRefusedError, ReferenceSpec, read_reference

NODES_MAX: Final = 50_000
_ALTERNATIVES: Final = ("anyOf", "oneOf", "allOf")
_READ: Final = frozenset(
    {
        "$ref",
        "x-reference",
        "properties",
        "items",
        "prefixItems",
        "additionalProperties",
        "discriminator",
        *_ALTERNATIVES,
    }
)
_VALUES: Final = frozenset({"default", "example", "examples", "const", "enum"})


class Node:
    """One place of a schema. `choice` is a discriminator's name and the node for each of its values."""

    __slots__ = ("alternatives", "choice", "default", "extra", "fields", "items", "prefix", "spec")

    def __init__(self) -> None:
        self.spec: ReferenceSpec | None = None
        self.fields: dict[str, Node] = {}
        self.items: Node | None = None
        self.prefix: tuple[Node, ...] = ()
        self.extra: Node | None = None
        self.alternatives: tuple[Node, ...] = ()
        self.choice: tuple[str, dict[str, Node]] | None = None
        self.default: ReferenceSpec | None = None

    def children(self) -> Iterator["Node"]:
        yield from self.fields.values()
        yield from self.alternatives
        yield from self.prefix
        for one in (self.items, self.extra):
            if one is not None:
                yield one
        if self.choice is not None:
            yield from self.choice[1].values()


class SchemaReader:
    """Reads the schemas of one document. A `$ref` is read once, so that recursive schemas end."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._named: dict[str, Node] = {}
        self._count = 0

    def read(self, schema: Any, where: str) -> Node | None:
        """The node of a schema, without what leads to no reference; None if nothing does. Raises
        DocumentRefusedError."""
        root = self._node(schema, where)
        useful = _useful(root)
        if id(root) not in useful:
            return None
        for node in _reachable(root):
            _prune(node, useful)
        _refuse_circles(root, where)
        for node in _reachable(root):
            node.default = _default_of(node)
        return root

    def _node(self, schema: Any, where: str) -> Node:
        self._count += 1
        if self._count > NODES_MAX:
            raise DocumentRefusedError(f"the schemas have more than {NODES_MAX} places")
        node = Node()
        if isinstance(schema, bool):
            return node
        if not isinstance(schema, dict):
            raise DocumentRefusedError(f"{where}: a schema is not an object")
        self._fill(node, schema, where)
        return node

    def _fill(self, node: Node, schema: Mapping[str, Any], where: str) -> None:
        _refuse_hidden(schema, where)
        if "x-reference" in schema:
            node.spec = read_reference(schema["x-reference"], schema, where)
        properties = schema.get("properties", {})
        if not isinstance(properties, dict):
            raise DocumentRefusedError(f"{where}: properties is not an object")
        node.fields = {name: self._node(one, f"{where}/{name}") for name, one in properties.items()}
        if "items" in schema:
            node.items = self._node(schema["items"], f"{where}/items")
        node.prefix = tuple(self._node(one, f"{where}/prefixItems") for one in schema.get("prefixItems", ()))
        if isinstance(schema.get("additionalProperties"), dict):
            node.extra = self._node(schema["additionalProperties"], f"{where}/*")
        alternatives = [self._named_node(schema["$ref"], where)] if "$ref" in schema else []
        node.choice = self._choice(schema, where)
        for keyword in _ALTERNATIVES:
            if keyword == "oneOf" and node.choice is not None:
                continue
            given = schema.get(keyword, [])
            if not isinstance(given, list):
                raise DocumentRefusedError(f"{where}: {keyword} is not an array")
            alternatives += [self._node(one, where) for one in given]
        node.alternatives = tuple(alternatives)

    def _named_node(self, reference: Any, where: str) -> Node:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise DocumentRefusedError(f"{where}: a $ref leads out of the document")
        found = self._named.get(reference)
        if found is None:
            found = self._named[reference] = Node()
            target: Any = self._document
            for step in reference[2:].split("/"):
                name = step.replace("~1", "/").replace("~0", "~")
                target = target.get(name) if isinstance(target, dict) else None
            if not isinstance(target, dict):
                raise DocumentRefusedError(f"{where}: {reference} leads nowhere")
            self._fill(found, target, reference)
        return found

    def _choice(self, schema: Mapping[str, Any], where: str) -> tuple[str, dict[str, Node]] | None:
        said = schema.get("discriminator")
        if not isinstance(said, dict) or not isinstance(said.get("mapping"), dict) or "oneOf" not in schema:
            return None
        name = said.get("propertyName")
        if not isinstance(name, str):
            raise DocumentRefusedError(f"{where}: a discriminator has no propertyName")
        return name, {value: self._named_node(one, where) for value, one in said["mapping"].items()}


def specs_of(node: Node) -> Iterator[ReferenceSpec]:
    """Every reference that a body may hold."""
    for one in _reachable(node):
        if one.spec is not None:
            yield one.spec


def _reachable(root: Node) -> list[Node]:
    found: dict[int, Node] = {id(root): root}
    waiting = [root]
    while waiting:
        for child in waiting.pop().children():
            if id(child) not in found:
                found[id(child)] = child
                waiting.append(child)
    return list(found.values())


def _useful(root: Node) -> set[int]:
    """The nodes from which a reference is reached, recursive schemas included."""
    nodes = _reachable(root)
    parents: dict[int, list[Node]] = {}
    for node in nodes:
        for child in node.children():
            parents.setdefault(id(child), []).append(node)
    waiting = [node for node in nodes if node.spec is not None]
    useful = {id(node) for node in waiting}
    while waiting:
        for parent in parents.get(id(waiting.pop()), ()):
            if id(parent) not in useful:
                useful.add(id(parent))
                waiting.append(parent)
    return useful


def _prune(node: Node, useful: set[int]) -> None:
    """A place without a reference may be shared with another operation, where it has none either."""
    node.fields = {name: child for name, child in node.fields.items() if id(child) in useful}
    node.alternatives = tuple(child for child in node.alternatives if id(child) in useful)
    node.prefix = tuple(node.prefix) if any(id(child) in useful for child in node.prefix) else ()
    node.items = node.items if node.items is not None and id(node.items) in useful else None
    node.extra = node.extra if node.extra is not None and id(node.extra) in useful else None
    if node.choice is not None:
        name, branches = node.choice
        node.choice = (name, {value: child for value, child in branches.items() if id(child) in useful})


def _refuse_circles(root: Node, where: str) -> None:
    """A schema that is an alternative of itself says nothing, and would be walked for ever."""
    done: set[int] = set()
    for start in _reachable(root):
        path: dict[int, Iterator[Node]] = {}
        waiting = [start] if id(start) not in done else []
        while waiting:
            node = waiting[-1]
            if id(node) not in path:
                branches = list(node.choice[1].values()) if node.choice is not None else []
                path[id(node)] = iter([*node.alternatives, *branches])
            child = next(path[id(node)], None)
            if child is None:
                done.add(id(node))
                del path[id(node)]
                waiting.pop()
            elif id(child) in path:
                raise DocumentRefusedError(f"{where}: a schema is an alternative of itself")
            elif id(child) not in done:
                waiting.append(child)


def _default_of(node: Node) -> ReferenceSpec | None:
    """The reference that a field has although it is left out: the caller's own id."""
    if node.spec is not None:
        return node.spec if node.spec.default_caller else None
    return next((spec for spec in map(_default_of, node.alternatives) if spec is not None), None)


def _refuse_hidden(schema: Mapping[str, Any], where: str) -> None:
    """A reference under a keyword that is not read would be a hole: nobody would validate it."""
    for keyword, value in schema.items():
        if keyword not in _READ and keyword not in _VALUES and _mentions(value):
            raise DocumentRefusedError(f"{where}: a reference under {keyword}, where it is not looked for")


def _mentions(value: Any) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "x-reference" in one:
                return True
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return False
