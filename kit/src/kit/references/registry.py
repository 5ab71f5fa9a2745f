"""The owner's memory of who may refer to its entities. An operator's removal is final until an operator lifts it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kit.documents import Entity, Record, Stored
from kit.problems import Unavailable
from kit.references.declaration import SEPARATOR, DeclarationError, OnDelete, Reference
from kit.store import DuplicateKey, Store
from kit.store.rows import Filter, Row
from kit.store.sessions import Session

NAME = "reference_registry"
REGISTERED = "registered"
REMOVED = "removed"
REFERRING_MAX = 500
"""Relationships to one entity. Two that are registered at once may go over it a little, never over the double."""
LISTED_MAX = 10_000
PARENTS_MAX = 1_000


class ReferenceRegistration(Record):
    """`id` is "<relationship>|<parent>": a polymorphic relationship is registered once for each of its parents.
    `validated_at` is when an audit that began after the registration had found no orphan."""

    relationship: str
    parent: str
    service: str
    on_delete: OnDelete
    state: str
    registered_at: datetime
    validated_at: datetime | None = None
    removed_by: int | None = None
    restored_by: int | None = None
    """The closings of the relationship by which it was removed and restored last."""

    class Settings:
        name = NAME


@dataclass(frozen=True, slots=True)
class Application:
    """A child service's wish to refer. `fields` are the parent's fields that `match` and `copy` name."""

    relationship: str
    parent: str
    on_delete: OnDelete
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RegisteredRelationship:
    """A relationship that is registered and not removed, with one of its parents."""

    relationship: str
    parent: str
    service: str
    on_delete: OnDelete


@dataclass(frozen=True, slots=True)
class Refusal:
    relationship: str
    code: str
    detail: str
    parent: str = ""


def registry_id(relationship: str, parent: str) -> str:
    return f"{relationship}{SEPARATOR}{parent}"


class Consent:
    """Which child services may refer to which entities: "users=bots,staking exchange_accounts=bots"; None: any."""

    def __init__(self, setting: str | None) -> None:
        self._allowed = None if setting is None else _parsed(setting)

    def allows(self, entity: str, service: str) -> bool:
        return self._allowed is None or service in self._allowed.get(entity, ())


class Registry:
    def __init__(self, store: Store, documents: Sequence[type[Stored]], *, service: str, consent: Consent) -> None:
        self._store = store
        self._rows = store.rows(NAME)
        self._entities = {one.collection_name(): one for one in documents if issubclass(one, Entity)}
        self._service = service
        self._consent = consent

    async def register(self, service: str, wishes: Sequence[Application], now: datetime) -> list[Refusal]:
        """Registers what may be; the refused ones. Registering again changes nothing."""
        refused: list[Refusal] = []
        for wish in wishes:
            refusal = self._judged(service, wish) or await self._written(service, wish, now)
            if refusal is not None:
                refused.append(replace(refusal, parent=wish.parent))
        return refused

    async def register_own(self, now: datetime) -> None:
        """This service's references to its own entities; before the first write of one, so that a delete always sees
        them. One that an operator removed stays removed, and its writes are refused. Raises DeclarationError for any
        other refusal: a service that goes on all the same would write what no delete asks for."""
        own = [
            application(reference, target.entity, {*target.match.values(), *target.copy.values()})
            for entity in self._entities.values()
            for reference in entity.references.values()
            for target in reference.targets()
            if target.entity in self._entities
        ]
        refused = [one for one in await self.register(self._service, own, now) if one.code != REMOVED]
        if refused:
            said = " ".join(f"{one.relationship} -> {one.parent}: {one.detail}" for one in refused)
            raise DeclarationError(f"References of {self._service} to its own entities can't be registered. {said}")

    async def registered(
        self, pairs: Collection[tuple[str, str]], *, session: Session | None = None
    ) -> set[tuple[str, str]]:
        """Those of the (relationship, parent) pairs that are registered and not removed."""
        ids = [registry_id(*pair) for pair in pairs]
        rows = await self._rows.find({"_id": {"$in": ids}, "state": REGISTERED}, limit=len(ids) or 1, session=session)
        return {(row["relationship"], row["parent"]) for row in rows}

    async def relationships_to(self, entity: str, *, session: Session | None = None) -> list[RegisteredRelationship]:
        """Those that are registered and not removed, by name: whom a delete of such a parent has to ask."""
        where = {"parent": entity, "state": REGISTERED}
        rows = await self._rows.find(where, limit=2 * REFERRING_MAX + 1, session=session)
        if len(rows) > 2 * REFERRING_MAX:  # a delete that overlooks one is worse than none
            raise RuntimeError(f"{entity} has over {2 * REFERRING_MAX} relationships in {NAME}: remove some")
        found = (_relationship(row) for row in rows)
        return sorted(found, key=lambda one: one.relationship)

    async def listing(self) -> list[Row]:
        """Every row, removed ones too, by name."""
        async with self._store.session(fenced=True) as session:
            rows = await self._rows.find({}, sort=[("_id", 1)], limit=LISTED_MAX + 1, session=session)
        if len(rows) > LISTED_MAX:
            raise RuntimeError(f"{NAME} has over {LISTED_MAX} rows")
        return rows

    async def remove(self, relationship: str, now: datetime, *, number: int | None = None) -> list[Row]:
        """Marks it removed, for each of its parents here; its rows. From here on deletes leave its children alone.
        `number` is that of its closing at the child's service, None if that is gone. A row stays that was restored by
        that number or a later one."""
        removed: dict[str, Any] = {"$set": {"state": REMOVED, "removedAt": now}}
        where: dict[str, Any] = {"relationship": relationship}
        if number is not None:
            where["$or"] = [{"restoredBy": {"$exists": False}}, {"restoredBy": {"$lt": number}}]
            removed["$max"] = {"removedBy": number}
        return await self._marked(relationship, [(where, removed)])

    async def restore(self, relationship: str, now: datetime, *, number: int) -> list[Row]:
        """Registers it anew; its rows. A row stays that was removed by a later number. Deletes passed its children by
        meanwhile: only an audit validates it again."""
        not_later = {"$or": [{"removedBy": {"$exists": False}}, {"removedBy": {"$lte": number}}]}
        registered = {
            "$set": {"state": REGISTERED, "registeredAt": now},
            "$unset": {"removedAt": "", "validatedAt": ""},
            "$max": {"restoredBy": number},
        }
        return await self._marked(
            relationship,
            [
                ({"relationship": relationship, "state": REMOVED, **not_later}, registered),
                ({"relationship": relationship, "state": REGISTERED}, {"$max": {"restoredBy": number}}),
            ],
        )

    async def _marked(self, relationship: str, updates: Sequence[tuple[Filter, Filter]]) -> list[Row]:
        async with self._store.session() as session:
            for where, update in updates:
                await self._rows.update_many(where, update, session=session)
            return await self._rows.find({"relationship": relationship}, limit=PARENTS_MAX, session=session)

    def _judged(self, service: str, wish: Application) -> Refusal | None:
        entity = self._entities.get(wish.parent)
        if entity is None:
            return Refusal(wish.relationship, "unknown-entity", f"{self._service} owns no entity {wish.parent}.")
        if not entity.rules.referable_by:
            return Refusal(wish.relationship, "not-referable", f"{wish.parent} may be referred to by nobody.")
        if service != self._service and not self._consent.allows(wish.parent, service):
            return Refusal(
                wish.relationship, "no-consent", f"REFERENCE_CONSENT does not let {service} refer to {wish.parent}."
            )
        hidden = wish.fields - entity.rules.readable()
        if hidden:
            return Refusal(
                wish.relationship, "not-exposed", f"{wish.parent} does not expose {', '.join(sorted(hidden))}."
            )
        return None

    async def _written(self, service: str, wish: Application, now: datetime) -> Refusal | None:
        key = registry_id(wish.relationship, wish.parent)
        row: dict[str, Any] = {
            "_id": key,
            "relationship": wish.relationship,
            "parent": wish.parent,
            "service": service,
            "onDelete": wish.on_delete.value,
            "state": REGISTERED,
            "registeredAt": now,
        }
        known = await self._rows.find_one({"_id": key})
        if known is None:
            if (
                await self._rows.count({"parent": wish.parent, "state": REGISTERED}, limit=REFERRING_MAX)
                == REFERRING_MAX
            ):
                detail = (
                    f"{REFERRING_MAX} relationships refer to {wish.parent}; remove those that nobody declares any more "
                    "(DELETE /v1/references/{relationship})."
                )
                return Refusal(wish.relationship, "too-many", detail)
            try:
                await self._rows.insert(row)
            except DuplicateKey:
                async with self._store.session(fenced=True) as session:
                    known = await self._rows.find_one({"_id": key}, session=session)
                if known is None:  # a fail-over took back what was there
                    raise Unavailable(f"{wish.relationship} could not be registered; try again.") from None
            else:
                return None
        return await self._refreshed(known, row)

    async def _refreshed(self, known: Mapping[str, Any], wish: Mapping[str, Any]) -> Refusal | None:
        relationship = str(wish["relationship"])
        if known["state"] != REGISTERED:
            return Refusal(relationship, "removed", f"{relationship} was removed; only an operator registers it again.")
        if known["service"] != wish["service"]:
            detail = (
                f"{relationship} belongs to the service {known['service']}: name the service so again, or, if it is "
                f"{wish['service']} now for good, set `service` of {known['_id']} in {NAME} to that."
            )
            return Refusal(relationship, "of-another", detail)
        if known["onDelete"] != wish["onDelete"]:
            await self._rows.update_one(
                {"_id": known["_id"], "state": REGISTERED}, {"$set": {"onDelete": wish["onDelete"]}}
            )
        return None


def _relationship(row: Mapping[str, Any]) -> RegisteredRelationship:
    return RegisteredRelationship(row["relationship"], row["parent"], row["service"], OnDelete(row["onDelete"]))


def application(reference: Reference, parent: str, fields: Collection[str]) -> Application:
    return Application(reference.relationship, parent, reference.on_delete, frozenset(fields))


def _parsed(setting: str) -> dict[str, frozenset[str]]:
    allowed: dict[str, frozenset[str]] = {}
    for one in setting.split():
        entity, sign, services = one.partition("=")
        if not sign or not entity or not services:
            raise ValueError('REFERENCE_CONSENT is written "users=bots,staking exchange_accounts=bots"')
        allowed[entity] = frozenset(services.split(","))
    return allowed
