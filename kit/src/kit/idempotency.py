"""`Idempotency-Key`: the same request answered once, on any replica and after a crash.

The record is made before the work, in the service's own database, and fixes the id of what will be created. Whoever
finds a record whose lease ran out takes it over with the same id, so that the operation meets what the first run
may have made. Of the request only a keyed digest is kept, of the answer what a replay needs, without secrets.

    no record -> running -> done        a final answer: kept and replayed
                 running -> (removed)   a refusal in the first run that is not final: nothing was written
                 running -> released    an outcome nobody knows, or such a refusal in a later run: id and digest stay
    released, or running with its lease run out -> running, with a new token and the same id
"""

import hashlib
import hmac
import re
from collections.abc import Collection as Container
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import orjson
from starlette.responses import Response

from kit.batching import Batcher
from kit.clock import Clock
from kit.documents import Record
from kit.ids import new_id
from kit.problems import (
    FieldError,
    IdempotencyMismatch,
    IdempotencyRunning,
    InvalidRequest,
    ReferencesNotValidated,
    Unavailable,
)
from kit.store.client import Store
from kit.store.collection import Collection
from kit.store.indexes import index

HEADER_NAME = "Idempotency-Key"
REPLAYED_HEADER_NAME = "Idempotency-Replayed"
KEPT_H = 25
LEASE_MARGIN_S = 5
TRIES_MAX = 3
ANSWER_BYTES_MAX = 4 * 1024 * 1024
PURGE_BATCH = 500
PURGE_BATCHES_MAX = 200
PURGE_INTERVAL_S = 300.0
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_KEPT_HEADERS = ("content-type", "etag", "location")
_STATUSES_NOT_FINAL = frozenset({401, 412, 428, 429})
_CODES_NOT_FINAL = frozenset({"reference-closed"})
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class IdempotencyRecord(Record):
    """`id` is a keyed digest of (caller, method, path, key), `fingerprint` one of query and body."""

    class Settings:
        name = "idempotency_records"
        indexes: ClassVar = [index("createdAt")]

    fingerprint: str
    resource_id: str
    token: str
    state: str
    lease_until: datetime
    created_at: datetime
    status: int | None = None
    headers: dict[str, str] | None = None
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run of the operation, with the id that it makes things by. `first` is False if another run may have begun."""

    record_id: str
    resource_id: str
    token: str
    first: bool


class Idempotency:
    def __init__(self, store: Store, key: bytes, clock: Clock) -> None:
        self._store = store
        self._records: Collection[IdempotencyRecord] = store.collection(IdempotencyRecord)
        self._key = hmac.digest(key, b"idempotency", "sha256")
        self._clock = clock
        self._inserts: Batcher[IdempotencyRecord, bool] = Batcher(self._insert_all)
        self._answers: Batcher[tuple[dict[str, Any], dict[str, Any]], None] = Batcher(self._keep_all)

    async def begin(
        self, key: str, scope: tuple[str, str, str], content: bytes, *, lease_s: float, replay_only: bool
    ) -> Attempt | Response:
        """A new attempt, or the first answer again. `scope` is (caller, method, path), `content` what must be the same;
        `lease_s` is how long the attempt may take.

        Raises InvalidRequest for a malformed key, IdempotencyMismatch, IdempotencyRunning, and if `replay_only`
        ReferencesNotValidated where no try was made yet, Unavailable where one was whose outcome nobody knows.
        """
        if not _KEY.match(key):
            refused = FieldError(f"/{HEADER_NAME}", "bad-format", "Send 1 to 255 visible ASCII characters.")
            raise InvalidRequest("The Idempotency-Key header is not valid.", errors=[refused])
        record_id = self._digest("\0".join((*scope, key)).encode())
        fingerprint = self._digest(content)
        lease_until = self._clock.now() + timedelta(seconds=lease_s + LEASE_MARGIN_S)
        found = await self._as_of_now(record_id) if replay_only else None
        for _ in range(TRIES_MAX):
            if found is None:
                if replay_only:
                    raise ReferencesNotValidated("There is no answer to replay, and the references are not validated.")
                attempt = await self._insert(record_id, fingerprint, lease_until)
            else:
                answer = self._answer_of(found, fingerprint, replay_only=replay_only)
                if answer is not None:
                    return answer
                attempt = await self._take_over(found, lease_until)
            if attempt is not None:
                return attempt
            found = await self._records.get(record_id)
        raise IdempotencyRunning

    async def _as_of_now(self, record_id: str) -> IdempotencyRecord | None:
        """A deposed primary must not say that nothing was tried: the refusal that follows would be untrue."""
        async with self._store.session(fenced=True) as session:
            return await self._records.get(record_id, session=session)

    def _answer_of(self, found: IdempotencyRecord, fingerprint: str, *, replay_only: bool) -> Response | None:
        """The kept answer; None if the record may be taken over."""
        if not hmac.compare_digest(found.fingerprint, fingerprint):
            raise IdempotencyMismatch("Use a new key for a new request; this one had another query or body.")
        if found.state == "done":
            return _replay(found)
        if found.lease_until > self._clock.now():
            raise IdempotencyRunning
        if replay_only:
            # Not a refusal, since what an earlier try did may be there, or arrive yet.
            raise Unavailable("An earlier try with this Idempotency-Key has no answer yet; try again.")
        return None

    async def _insert(self, record_id: str, fingerprint: str, lease_until: datetime) -> Attempt | None:
        record = IdempotencyRecord(
            id=record_id,
            fingerprint=fingerprint,
            resource_id=new_id(),
            token=new_id(),
            state="running",
            lease_until=lease_until,
            created_at=self._clock.now(),
        )
        if not await self._inserts.submit(record):
            return None
        return Attempt(record_id, record.resource_id, record.token, first=True)

    async def _take_over(self, found: IdempotencyRecord, lease_until: datetime) -> Attempt | None:
        token = new_id()
        taken = await self._records.update(
            {"_id": found.id, "token": found.token, "state": found.state},
            {"$set": {"token": token, "state": "running", "leaseUntil": lease_until}},
        )
        return Attempt(found.id, found.resource_id, token, first=False) if taken else None

    async def finish(
        self, attempt: Attempt, response: Response, *, code: str | None, secret_fields: Container[str] = ()
    ) -> None:
        """Keeps a final answer; else gives the key free. `code` is the problem's, if the answer is one."""
        mine = {"_id": attempt.record_id, "token": attempt.token}
        status = response.status_code
        body = _kept_body(response, secret_fields) if is_final(response, code) else None
        if body is not None:
            headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
            kept = {"state": "done", "status": status, "headers": headers, "body": body}
            await self._answers.submit((mine, {"$set": kept}))
        elif attempt.first and 400 <= status < 500:
            await self._records.delete(mine)
        else:
            await self._records.update(mine, {"$set": {"state": "released", "leaseUntil": _LONG_AGO}})

    async def _insert_all(self, batch: list[IdempotencyRecord]) -> list[bool]:
        taken = set(await self._records.insert_many(batch))
        return [place not in taken for place in range(len(batch))]

    async def _keep_all(self, batch: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[None]:
        await self._records.bulk_update(batch)
        return [None] * len(batch)

    async def purge(self) -> None:
        """Removes records that are older than KEPT_H hours, in batches."""
        before = self._clock.now() - timedelta(hours=KEPT_H)
        for _ in range(PURGE_BATCHES_MAX):
            if await self._records.delete_many({"createdAt": {"$lt": before}}, limit=PURGE_BATCH) < PURGE_BATCH:
                return

    def _digest(self, content: bytes) -> str:
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()


def is_final(response: Response, code: str | None) -> bool:
    """Whether the same request would get this answer whenever it is sent."""
    status = response.status_code
    if status >= 500 or status in _STATUSES_NOT_FINAL or "retry-after" in response.headers:
        return False
    return code is None or not (code in _CODES_NOT_FINAL or code.startswith("idempotency-"))


def _kept_body(response: Response, secret_fields: Container[str]) -> str | None:
    """The body as it may be kept; None for one that is streamed or too big, whose operation is run again instead."""
    body = getattr(response, "body", None)
    if not isinstance(body, bytes) or len(body) > ANSWER_BYTES_MAX:
        return None
    if secret_fields and body:
        return orjson.dumps(_without(orjson.loads(body), secret_fields)).decode()
    return body.decode("utf-8")


def _without(value: Any, names: Container[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(item, names) for name, item in value.items() if name not in names}
    if isinstance(value, list):
        return [_without(item, names) for item in value]
    return value


def _replay(record: IdempotencyRecord) -> Response:
    headers = {**(record.headers or {}), REPLAYED_HEADER_NAME: "true"}
    return Response((record.body or "").encode(), status_code=record.status or 200, headers=headers)
