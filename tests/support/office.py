"""A small service with every kind of reference, for the tests of kit: desks of people, in rooms, with tickets.

`people` and `cards` belong to other services; `rooms`, `desks` and `tickets` to this one."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from mock_store import Faults
from pydantic import Field

from kit.clock import FixedClock
from kit.context import ValidatedReference
from kit.documents import Entity, Part, Record, Stored
from kit.ids import Id, new_id
from kit.references.attached import Attached
from kit.references.declaration import CASCADE, RESTRICT, SET_NULL, Parent, Reference
from kit.references.guarded import References
from kit.references.reaper import SEEN_TWICE_AFTER_S
from kit.references.rules import Anyone, EntityRules, OwnerField, PartOf, Roles
from kit.store import Store, StoreClient, index

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

DeskPersonRef = Annotated[
    Id, Reference("people", on_delete=CASCADE, restrict_if={"state": {"$in": ["busy"]}}, default="caller")
]
DeskCardRef = Annotated[
    Id, Reference("cards", on_delete=RESTRICT, match={"personId": "personId"}, copy={"color": "cardColor"})
]
DeskRoomRef = Annotated[str, Reference("rooms", on_delete=RESTRICT, key={"floor": "floor", "door": "door"})]
DeskLampRef = Annotated[Id, Reference("lamps", on_delete=SET_NULL)]
TicketDeskRef = Annotated[Id, Reference("desks", on_delete=CASCADE, match={"personId": "personId"})]
TicketPersonRef = Annotated[Id, Reference("people", on_delete=RESTRICT)]
LogPersonRef = Annotated[Id, Reference("people", on_delete=RESTRICT, via={"case": "sourceId"})]
LogSourceRef = Annotated[
    Id,
    Reference(
        by="sourceType",
        parents={"case": Parent("cases", match={"personId": "personId"}), "card": Parent("cards")},
        on_delete=RESTRICT,
    ),
]
CasePersonRef = Annotated[Id, Reference("people", on_delete=RESTRICT)]


class Room(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="roomId", referable_by=(Anyone(),), composite=("floor", "door"))

    floor: str
    door: str

    class Settings:
        name = "rooms"
        indexes: ClassVar = [index("floor", "door", unique=True)]


class Desk(Entity):
    rules: ClassVar[EntityRules] = EntityRules(
        key="deskId",
        referable_by=(OwnerField("personId"), Roles("admin")),
        exposes=("personId",),
        conditions=("state",),
    )

    person_id: DeskPersonRef
    card_id: DeskCardRef
    color: str
    floor: str
    door: DeskRoomRef
    lamp_id: DeskLampRef | None = None
    name: str
    state: str = "free"
    strategy: dict[str, Any] = Field(default_factory=dict)

    class Settings:
        name = "desks"
        indexes: ClassVar = [index("personId", "name", unique=True)]


class Ticket(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="ticketId")

    desk_id: TicketDeskRef
    person_id: TicketPersonRef

    class Settings:
        name = "tickets"


class Case(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="caseId", exposes=("personId",))

    person_id: CasePersonRef

    class Settings:
        name = "cases"


class Log(Entity):
    rules: ClassVar[EntityRules] = EntityRules(key="logId")

    person_id: LogPersonRef
    source_type: str
    source_id: LogSourceRef

    class Settings:
        name = "logs"


class DeskEvent(Part):
    part_of: ClassVar[PartOf] = PartOf(entity="desks", field="deskId")

    desk_id: Id
    what: str

    class Settings:
        name = "desk_events"


class Counter(Record):
    value: int

    class Settings:
        name = "counters"


DOCUMENTS: tuple[type[Stored], ...] = (Room, Desk, Ticket, Case, Log, DeskEvent, Counter)

PERSON = "desks.personId"
CARD = "desks.cardId"
ROOM_ID = "main-12"


class Office:
    """The service's guarded writes on one store, whose `faults` a test may order."""

    def __init__(
        self,
        client: StoreClient,
        *,
        faults: Faults | None = None,
        clock: FixedClock | None = None,
        name: str = "office",
    ) -> None:
        self.client = client
        self.faults = faults or Faults()
        self.clock = clock or FixedClock(NOW)
        self.store: Store = client.database(name)
        self.references = References(self.store, DOCUMENTS, clock=self.clock, service="office")

    async def start(self) -> "Office":
        await self.store.prepare([*DOCUMENTS, *References.records])
        await self.references.start()
        await self.store.collection(Room).insert(room())
        return self

    async def reap(self) -> None:
        """The reaper finds the one intent that is left, a second time."""
        await self.references.reaper.sweep()
        self.clock.advance(SEEN_TWICE_AFTER_S)
        assert await self.references.reaper.sweep() == 1

    def again(self) -> "Office":
        """Another replica on the same database."""
        return Office(self.client, faults=self.faults, clock=self.clock, name=self.store.name)

    async def close(self, relationship: str, parent: str, parent_id: str, *, epoch: int = 1) -> None:
        """What a delete of the parent leaves here."""
        key = f"{relationship}|{parent}|{parent_id}"
        await self.store.rows("reference_closures").update_one(
            {"_id": key}, {"$set": {"closed": True, "epoch": epoch}}, upsert=True
        )

    async def close_whole(self, relationship: str) -> None:
        await self.store.rows("reference_closures").insert({"_id": f"{relationship}|*", "closed": True, "epoch": 0})

    async def closure(self, relationship: str, parent: str, parent_id: str) -> dict[str, Any] | None:
        return await self.store.rows("reference_closures").find_one({"_id": f"{relationship}|{parent}|{parent_id}"})

    async def void(self, relationship: str, parent: str, parent_id: str) -> int:
        """What a delete does with the intents that it finds: creates are removed, slots unset."""
        key = f"{relationship}|{parent}|{parent_id}"
        rows = self.store.rows("desks")
        removed = await rows.delete_many({"_intent.kind": "create", "_intent.refs": {"$in": [key]}})
        unset = await rows.update_many(
            {"_intent.kind": "change", "_intent.refs": {"$in": [key]}}, {"$unset": {"_intent": ""}}
        )
        return removed + unset

    async def row(self, document: Stored) -> dict[str, Any] | None:
        return await self.store.rows(document.collection_name()).find_one({"_id": document.id})

    async def intents(self) -> list[dict[str, Any]]:
        return await self.store.rows("desks").find({"_intent": {"$exists": True}}, limit=1000)


def room() -> Room:
    return Room(id=ROOM_ID, floor="main", door="12", created_at=NOW, updated_at=NOW)


def desk(**values: Any) -> Desk:
    given: dict[str, Any] = {
        "id": new_id(),
        "person_id": new_id(),
        "card_id": new_id(),
        "color": "red",
        "floor": "main",
        "door": "12",
        "name": "desk",
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Desk(**{**given, **values})


def attached(one: Desk, *, epoch: int = 0, color: str = "red") -> Attached:
    """What the gateway says of a desk's references."""
    return Attached(
        [
            ValidatedReference(PERSON, "people", one.person_id, epoch),
            ValidatedReference(CARD, "cards", one.card_id, epoch, {"cardColor": color}),
            *([ValidatedReference("desks.lampId", "lamps", one.lamp_id, epoch)] if one.lamp_id else []),
        ]
    )
