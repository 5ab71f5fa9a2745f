"""Calls of the notes service with idempotency keys, and a look at what is kept of them."""

from typing import Any

import httpx
from gateway_stand_in import Client
from notes_service import Note

from kit.idempotency import IdempotencyRecord
from kit.store import Collection, StoreClient

TITLE = {"title": "first"}


def records(client: StoreClient) -> Collection[IdempotencyRecord]:
    return client.database("omnitrade_notes").collection(IdempotencyRecord)


async def notes(client: StoreClient) -> list[Note]:
    return await client.database("omnitrade_notes").collection(Note).find({}, limit=100)


def replayed(answer: httpx.Response) -> bool:
    return bool(answer.headers.get("idempotency-replayed") == "true")


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def create(user: Client, key: str | None = "k1", body: Any = None, **options: Any) -> httpx.Response:
    return await user.post("/v1/notes", json=TITLE if body is None else body, idempotency_key=key, **options)
