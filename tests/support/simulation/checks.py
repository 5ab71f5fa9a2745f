"""What must hold when all is healed, read from the stores past every service: no reference dangles, nothing is stuck,
and whatever a client was told is true."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from simulation.applications import DOCUMENTS, database_of
from simulation.clients import Call
from simulation.loop import Owner
from simulation.motor import SimulatedMotor

from kit.documents import Entity, Part
from kit.references.declaration import Reference, Target
from kit.store import StoreClient
from staking.operations.audit import audit as staking_audit

if TYPE_CHECKING:
    from simulation.world import World

DANGLING = "dangling"
STUCK = "stuck"
LOST = "lost"
UNDEAD = "undead"
HALF = "half"
BROKEN = "broken"

Row = Mapping[str, Any]

CREATES = {
    "/v1/users": ("users", "userId"),
    "/v1/exchange-accounts": ("exchange_accounts", "accountId"),
    "/v1/bots": ("trading_bots", "botId"),
    "/v1/staking/pools": ("staking_pools", "poolId"),
    "/v1/staking/stakes": ("user_stakes", "stakeId"),
    "/v1/labels": ("labels", "labelId"),
    "/v1/holds": ("holds", "holdId"),
    "/v1/folders": ("folders", "folderId"),
}
"""Where a POST creates what, and the name of its id."""
NAMES = {"users": "email", "trading_bots": "name", "labels": "words", "holds": "words", "folders": "words"}
"""What a create that was refused would be recognised by: no two creates share one."""
NO_FINAL_WORD = frozenset({"idempotency-running"})


class Books:
    """All that is stored, by entity and id; `pending` creates are left out."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.entities: dict[str, tuple[str, type[Entity]]] = {}
        self.parts: list[tuple[str, type[Part]]] = []
        for service, documents in DOCUMENTS.items():
            for one in documents:
                if issubclass(one, Entity):
                    self.entities[one.collection_name()] = (service, one)
                elif issubclass(one, Part):
                    self.parts.append((service, one))
        self._rows = {name: self._read(service, name) for name, (service, _) in self.entities.items()}

    def _read(self, service: str, name: str) -> dict[str, Row]:
        rows = self.world.server.data[database_of(service)]._store[name]._documents
        return {key: row for key, row in rows.items() if row.get("_intent", {}).get("kind") != "create"}

    def rows(self, entity: str) -> dict[str, Row]:
        return self._rows[entity]


def dangling(books: Books) -> Iterator[str]:
    """The full anti-join of every relationship."""
    for name, (_, document) in books.entities.items():
        for stored, reference in document.references.items():
            for row in books.rows(name).values():
                wrong = _wrong(books, reference, stored, row)
                if wrong:
                    yield f"{DANGLING}: {reference.relationship} of {row['_id']} {wrong}"
    for service, part in books.parts:
        whole = books.rows(part.part_of.entity)
        rows = books.world.server.data[database_of(service)]._store[part.collection_name()]._documents
        for row in rows.values():
            if row[part.part_of.field] not in whole:
                yield f"{DANGLING}: {part.collection_name()} {row['_id']} is a part of nothing"


def _wrong(books: Books, reference: Reference, stored: str, row: Row) -> str | None:
    value = row.get(stored)
    if value is None:
        return None
    target = _target(reference, row)
    if target is None or target.entity not in books.entities:
        return f"names a {row.get(reference.by or '')}"
    parents = books.rows(target.entity)
    if target.key:
        wanted = {parent: row.get(child) for child, parent in target.key.items()}
        found = next((one for one in parents.values() if wanted.items() <= dict(one).items()), None)
    else:
        found = parents.get(value)
    if found is None:
        return f"names {value}, which is no {target.entity}"
    for child, parent in {**target.match, **target.copy}.items():
        if found.get(parent) != row.get(child):
            return f"names {value}, of another {child}"
    return None


def _target(reference: Reference, row: Row) -> Target | None:
    targets = list(reference.targets())
    if reference.by is None:
        return targets[0]
    return next((one for one in targets if one.value == row.get(reference.by)), None)


def stuck(books: Books) -> Iterator[str]:
    """No write and no delete is under way for ever."""
    for service in DOCUMENTS:
        database = books.world.server.data[database_of(service)]
        for name in database.list_collection_names():
            for row in database[name].find({}):
                if "_intent" in row:
                    yield f"{STUCK}: {name} {row['_id']} has an intent"
                state = (row.get("_parent") or {}).get("state")
                if state in ("deleting", "purging"):
                    yield f"{STUCK}: {name} {row['_id']} is {state}"
                if name == "reference_deletions" and row.get("open"):
                    yield f"{STUCK}: {row['_id']} of {row['entity']} is {row['state']} at {row['step']}"


def words(books: Books) -> Iterator[str]:
    """What clients were told: acknowledged creates are there unless a delete took them, refused ones are not, deletes
    that were acknowledged took place, and nothing is gone without one."""
    journal = books.world.journal
    for call in journal.calls:
        if call.reply.status == 500:
            yield f"{BROKEN}: {call.method} {call.target} answers 500"
        if call.method == "POST" and call.target in CREATES:
            yield from _create(books, call)
        if call.method == "DELETE" and call.reply.status == 204:
            entity, document_id = _named(call.target)
            if document_id in books.rows(entity):
                yield f"{UNDEAD}: {call.target} was deleted and is there"


def _create(books: Books, call: Call) -> Iterator[str]:
    entity, id_name = CREATES[call.target]
    rows = books.rows(entity)
    if call.reply.status == 201:
        document_id = call.reply.body[id_name]
        if document_id not in rows and not is_excused(books, entity, document_id, call.reply.body):
            word = HALF if _was_refused_after(books, call) else LOST
            yield f"{word}: {entity} {document_id} was acknowledged and is gone"
    elif call.reply.is_refused and entity in NAMES and _is_last_word(books, call):
        name = NAMES[entity]
        if any(row.get(name) == call.sent[name] for row in rows.values()):
            yield f"{UNDEAD}: {entity} {call.sent[name]} was refused ({call.reply.code}) and is there"


def _is_last_word(books: Books, call: Call) -> bool:
    """What is refused now may be done when it is sent again: no word is the last of a message that comes twice."""
    if call.reply.code in NO_FINAL_WORD or call.reply.status == 401:
        return False
    return call.key not in books.world.network.repeated


def is_excused(books: Books, entity: str, document_id: str, body: Mapping[str, Any]) -> bool:
    """Whether a delete that was not refused explains that it is gone: its own, or its user's."""
    if _may_be_deleted(books, entity, document_id):
        return True
    user_id = body.get("userId")
    if entity == "users" or user_id is None or entity == "user_stakes":
        return False
    return user_id not in books.rows("users") and _may_be_deleted(books, "users", user_id)


def _may_be_deleted(books: Books, entity: str, document_id: str) -> bool:
    return any(
        call.method == "DELETE" and _named(call.target) == (entity, document_id) and call.may_have_been_done
        for call in books.world.journal.calls
    )


def _was_refused_after(books: Books, create: Call) -> bool:
    """Whether a delete of the user was refused that began when the create had been acknowledged."""
    user_id = create.reply.body.get("userId")
    deletes = books.world.journal.of("DELETE", f"/v1/users/{user_id}")
    return any(one.reply.status == 409 and one.began_at >= create.ended_at for one in deletes)


def _named(target: str) -> tuple[str, str]:
    collection, _, document_id = target.rpartition("/")
    return CREATES.get(collection, (collection, ""))[0], document_id


def removed_though_blocked(books: Books) -> Iterator[str]:
    """A running bot and a balance with an entry block the delete of their user."""
    journal = books.world.journal
    for call in journal.calls:
        if call.method != "POST" or not call.reply.is_ok:
            continue
        if call.target.endswith("/start") and not _ends_later(books, call.target.removesuffix("/start"), call):
            if call.reply.body["botId"] not in books.rows("trading_bots"):
                yield f"{HALF}: {call.target} was acknowledged, and the running bot is gone"
        elif call.target.endswith("/credits"):
            user_id = call.target.split("/")[3]
            if user_id not in books.rows("user_token_balances"):
                yield f"{HALF}: {call.target} was acknowledged, and the balance is gone"


def changes(books: Books) -> Iterator[str]:
    """What became of a bot that only one client ever changed, once."""
    calls: dict[str, list[Call]] = {}
    for call in books.world.journal.calls:
        if call.method in ("POST", "PATCH") and call.target.startswith("/v1/bots/"):
            calls.setdefault(call.target.split("/")[3], []).append(call)
    for bot, made in calls.items():
        row = books.rows("trading_bots").get(bot)
        changed = [one for one in made if one.method == "PATCH" or one.target.endswith(("/start", "/stop"))]
        if row is None or len(changed) != 1:
            continue
        call = changed[0]
        if call.method == "PATCH":
            is_there = row["exchangeAccountId"] == call.sent["exchangeAccountId"]
        else:
            is_there = row["status"] == ("running" if call.target.endswith("/start") else "stopped")
        if call.reply.is_ok and not is_there:
            yield f"{LOST}: {call.method} {call.target} was acknowledged and is not there"
        if call.target.endswith("/start") and call.reply.is_refused and _is_last_word(books, call) and is_there:
            yield f"{UNDEAD}: {call.method} {call.target} was refused ({call.reply.code}) and is there"


def taken_off(books: Books) -> Iterator[str]:
    """A label that nobody put elsewhere is still on what is there."""
    journal, labels = books.world.journal, books.rows("labels")
    for call in journal.of("POST", "/v1/labels"):
        row = labels.get(call.reply.body["labelId"]) if call.reply.status == 201 else None
        if row is None or journal.of("PATCH", f"/v1/labels/{row['_id']}"):
            continue
        for name, entity in (("botId", "trading_bots"), ("nextId", "labels")):
            parent = call.sent.get(name)
            if parent in books.rows(entity) and row.get(name) != parent:
                yield f"{HALF}: label {row['_id']} was taken off {parent} of {entity}, which is there"


def _ends_later(books: Books, bot: str, start: Call) -> bool:
    """Whether anybody tried to end what was started."""
    return any(
        one.ended_at >= start.began_at and one.target.startswith(bot) and one.target.endswith(("/stop", "/fail"))
        for one in books.world.journal.calls
    )


async def ledger(world: "World") -> list[str]:
    """The ledger's invariants, by the service's own audit."""
    store = StoreClient.from_motor(SimulatedMotor(world.server, Owner("audit"))).database(database_of("staking"))
    report = await staking_audit.audit_ledger(store)
    return [f"ledger: {one}" for one in report.findings]


async def findings(world: "World", *, with_ledger: bool = False) -> list[str]:
    """Everything that is wrong, in a healed world."""
    books = Books(world)
    found = [
        *dangling(books),
        *stuck(books),
        *words(books),
        *removed_though_blocked(books),
        *changes(books),
        *taken_off(books),
    ]
    if with_ledger:
        found += await ledger(world)
    return found


def kinds(found: list[str]) -> set[str]:
    """The kinds of what is wrong."""
    return {one.partition(":")[0] for one in found}
