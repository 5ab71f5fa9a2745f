"""Two real services behind gateways, on one store whose operations may be held, for tests of deletes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from mock_store import Faults, faulty_client
from office import Desk, attached, desk
from people_service import stored
from stub_platform import ALICE
from two_services import Served, TwoServices, two_services

from kit.ids import new_id

FOLLOWED_S = 10.0
POLL_S = 0.03
QUICK = {"delete_sweep_interval_s": 0.1, "delete_idle_s": 0.3, "delete_wait_s": 5}


@dataclass
class DeletingPlatform(TwoServices):
    faults: Faults = field(default_factory=Faults)

    @asynccontextmanager
    async def gateway(self, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        """A gateway of its own, and a client of it, signed in as Alice."""
        async with self.served(**{**QUICK, **settings}), self.client() as client:
            yield client

    async def person(self, person_id: str = ALICE, status: str = "active") -> str:
        await self.people.store.rows("people").insert(stored(_id=person_id, status=status))
        return person_id

    async def card(self, person_id: str = ALICE) -> str:
        card_id = new_id()
        row = stored(_id=card_id, personId=person_id, cardColor="red")
        await self.people.store.rows("cards").insert(row)
        return card_id

    async def badge(self, person_id: str = ALICE) -> str:
        badge_id = new_id()
        await self.people.store.rows("badges").insert(stored(_id=badge_id, personId=person_id))
        await self.people.store.rows("badge_uses").insert({"_id": new_id(), "badgeId": badge_id, "door": "12"})
        return badge_id

    async def desk(self, **values: Any) -> Desk:
        one = desk(**{"person_id": ALICE, "name": new_id(), **values})
        await self.office.app.state.runtime.references.create(one, attached(one))
        return one

    async def left(self, service: Served, collection: str) -> list[dict[str, Any]]:
        return await service.store.rows(collection).find({}, limit=1_000)

    async def register(self, relationship: str, parent: str, service: str, rule: str = "CASCADE") -> None:
        """As a gateway does before the first write of it."""
        row = {"relationship": relationship, "parent": parent, "service": service, "onDelete": rule}
        await self.people.store.rows("reference_registry").update_one(
            {"_id": f"{relationship}|{parent}"},
            {"$set": {**row, "state": "registered", "registeredAt": self.now()}},
            upsert=True,
        )

    def now(self) -> Any:
        return self.people.app.state.runtime.clock.now()


@asynccontextmanager
async def deleting_platform(folder: Path) -> AsyncIterator[DeletingPlatform]:
    client, faults = faulty_client()
    async with two_services(folder, client) as (people, office, issuer):
        platform = DeletingPlatform(people, office, issuer, folder, faults=faults)
        for relationship, parent, rule in (
            ("desks.personId", "people", "CASCADE"),
            ("desks.cardId", "cards", "RESTRICT"),
        ):
            await platform.register(relationship, parent, "office", rule)
        yield platform


async def followed(
    client: httpx.AsyncClient, answer: httpx.Response, state: str, *, waiting: bool = False
) -> dict[str, Any]:
    """The deletion that a 202 names, once it is in this state, and says whom it waits for."""
    assert answer.status_code == 202, answer.text
    said: dict[str, Any] = {}
    for _ in range(round(FOLLOWED_S / POLL_S)):
        read = await client.get(answer.headers["location"])
        assert read.status_code == 200, read.text
        said = read.json()
        if said["state"] == state and (said["waitingFor"] or not waiting):
            return said
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"it did not become {state}: {said}")
