"""Every reference of every stored child against the parents that are there: read straight from the stores, with no rule
of the code that writes them. Nothing else may be writing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.store import Store

PAGE = 1_000
INTENT = "_intent"
STATE = "_parent"
Entities = Mapping[str, Mapping[str, Any]]  # `x-entities` of a service's document
Row = Mapping[str, Any]
Key = tuple[Any, ...]


@dataclass
class Joined:
    """`children` counts references that name something; `dangling` says which of them name nothing, `leftover` which
    parts are of nothing any more (a sweep removes these), `intents` which documents hold an unfinished write, and
    `undecided` which are in the middle of their deletion."""

    children: int = 0
    dangling: list[str] = field(default_factory=list)
    leftover: list[str] = field(default_factory=list)
    intents: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)

    @property
    def is_at_rest(self) -> bool:
        return not (self.dangling or self.leftover or self.intents or self.undecided)


@dataclass(frozen=True)
class Rule:
    """Child fields that together name a parent by these fields; `when`: where the child has these values."""

    name: str
    child: str
    parent: str
    pairs: tuple[tuple[str, str], ...]
    when: Mapping[str, Any]
    of_part: bool = False


async def anti_join(stores: Mapping[str, Store], entities: Mapping[str, Entities]) -> Joined:
    """Both by service."""
    rows: dict[str, list[Row]] = {}
    rules = [rule for service in entities for rule in rules_of(entities[service])]
    for service, of_service in entities.items():
        for name, entity in of_service.items():
            for collection in (name, *(part["collection"] for part in entity.get("parts", ()))):
                rows[collection] = await all_rows(stores[service], collection)
    return joined(rows, rules)


def rules_of(entities: Entities) -> Iterator[Rule]:
    """A document that is matched by other fields than its id is another's when these differ: they are part of it."""
    for child, entity in entities.items():
        for said in entity.get("references", ()):
            name = said["relationship"]
            its_field = name.removeprefix(f"{child}.")
            targets = said["parents"] if said.get("by") else {None: said}
            for value, target in targets.items():
                pairs = tuple(said["key"].items()) if said.get("key") else ((its_field, "_id"),)
                pairs += tuple(target.get("match", {}).items())
                yield Rule(name, child, target["parent"], pairs, {said["by"]: value} if said.get("by") else {})
        for part in entity.get("parts", ()):
            collection = part["collection"]
            yield Rule(f"{collection}.{part['field']}", collection, child, ((part["field"], "_id"),), {}, of_part=True)


def joined(rows: Mapping[str, list[Row]], rules: list[Rule]) -> Joined:
    found = Joined()
    for collection, stored in rows.items():
        for row in stored:
            name = f"{collection} {row['_id']}"
            if INTENT in row:
                found.intents.append(name)
            if row.get(STATE, {}).get("state", "active") != "active":
                found.undecided.append(f"{name} ({row[STATE]['state']})")
    for rule in rules:
        fields = [parent_field for _, parent_field in rule.pairs]
        there = {tuple(row.get(one) for one in fields) for row in rows[rule.parent] if is_document(row)}
        for row in rows[rule.child]:
            named = named_by(rule, row)
            if named is None:
                continue
            found.children += 1
            if named not in there:
                broken = found.leftover if rule.of_part else found.dangling
                broken.append(f"{rule.name} {row['_id']} → {'/'.join(map(str, named))}")
    return found


def named_by(rule: Rule, row: Row) -> Key | None:
    """None if it names no parent of this kind; a create that was not committed is no child."""
    if not is_document(row) or any(row.get(name) != value for name, value in rule.when.items()):
        return None
    named = tuple(row.get(child_field) for child_field, _ in rule.pairs)
    return None if named[0] is None else named


def is_document(row: Row) -> bool:
    return bool(row.get(INTENT, {}).get("kind") != "create")


async def all_rows(store: Store, collection: str) -> list[Row]:
    rows, after, found = store.rows(collection), "", list[Row]()
    while True:
        page = await rows.find({"_id": {"$gt": after}}, sort=[("_id", 1)], limit=PAGE)
        found += page
        if len(page) < PAGE:
            return found
        after = page[-1]["_id"]
