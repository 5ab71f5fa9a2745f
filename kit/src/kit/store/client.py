"""The connection to the store, and one service's database in it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from beanie import init_beanie
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from kit.store.collection import Collection
from kit.store.errors import DuplicateKey, StoreUnavailable, UnsuitableStore
from kit.store.indexes import is_sparse
from kit.store.quirks import is_embedded
from kit.store.rows import Rows, translated
from kit.store.sessions import Moment, Session, causal_session

if TYPE_CHECKING:
    from kit.documents import Stored

D = TypeVar("D", bound="Stored")
Motor = AsyncIOMotorClient[dict[str, Any]]

CONNECT_TIMEOUT_MS = 2_000
SELECTION_TIMEOUT_MS = 3_000
SOCKET_TIMEOUT_MS = 20_000
CALL_TIMEOUT_S = 10.0
POOL_SIZE_MAX = 64
FENCES = "store_fences"


class StoreClient:
    """`causal` says whether the store is a cluster: then what acts on a read reads with majority concern, in causally
    consistent sessions. A single node needs neither."""

    def __init__(
        self, motor: Motor, *, causal: bool, embedded: bool = False, call_timeout_s: float = CALL_TIMEOUT_S
    ) -> None:
        self._motor = motor
        self._causal = causal
        self._embedded = embedded
        self._call_timeout_s = call_timeout_s

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        call_timeout_s: float = CALL_TIMEOUT_S,
        pool_size_max: int = POOL_SIZE_MAX,
        causal: bool | None = None,
    ) -> "StoreClient":
        """Raises StoreUnavailable if nobody answers, UnsuitableStore for a cluster without sessions or majority reads.
        `causal` overrides what the store says of itself."""
        motor: Motor = AsyncIOMotorClient(
            url,
            w="majority",
            journal=True,
            retryWrites=False,
            retryReads=True,
            tz_aware=True,
            connectTimeoutMS=CONNECT_TIMEOUT_MS,
            serverSelectionTimeoutMS=SELECTION_TIMEOUT_MS,
            socketTimeoutMS=SOCKET_TIMEOUT_MS,
            maxPoolSize=pool_size_max,
            readPreference="primary",
        )
        try:
            hello = await motor.admin.command("hello")
            clustered = bool(hello.get("setName")) or hello.get("msg") == "isdbgrid"
            client = cls(
                motor,
                causal=clustered if causal is None else causal,
                embedded=is_embedded(await motor.admin.command("buildInfo")),
                call_timeout_s=call_timeout_s,
            )
            if client.is_causal:
                await client._prove_majority_reads()
        except PyMongoError as error:
            motor.close()
            raise StoreUnavailable("The store can't be reached.", sent=False) from error
        except BaseException:
            motor.close()
            raise
        return client

    @classmethod
    def from_motor(
        cls, motor: Any, *, causal: bool = False, embedded: bool = False, call_timeout_s: float = CALL_TIMEOUT_S
    ) -> "StoreClient":
        """Around a client made elsewhere, as the tests' stores are."""
        return cls(motor, causal=causal, embedded=embedded, call_timeout_s=call_timeout_s)

    @property
    def is_causal(self) -> bool:
        return self._causal

    def database(self, name: str) -> "Store":
        if self._causal:
            database = self._motor.get_database(name, read_concern=ReadConcern("majority"))
        else:
            database = self._motor[name]
        return Store(self, database, embedded=self._embedded, call_timeout_s=self._call_timeout_s)

    @asynccontextmanager
    async def session(self, after: Moment | None = None) -> AsyncIterator[Session | None]:
        """A session that sees everything up to `after`; None where the store is a single node."""
        if not self._causal:
            yield None
            return
        async with causal_session(self._motor) as session:
            session.advance(after)
            yield session

    async def drop_database(self, name: str) -> None:
        await self._motor.drop_database(name)

    async def close(self) -> None:
        self._motor.close()

    async def _prove_majority_reads(self) -> None:
        try:
            async with causal_session(self._motor) as session:
                probe = self._motor.get_database("admin", read_concern=ReadConcern("majority"))["system.version"]
                await probe.find_one({}, session=session.raw)
                is_told = session.moment is not None
        except PyMongoError as error:
            raise UnsuitableStore(
                "The store is a cluster without majority reads in causally consistent sessions, so references "
                f"can't be kept on it: {error}"
            ) from error
        if not is_told:
            raise UnsuitableStore(
                "The store is a cluster that does not say at what time an operation took effect (operationTime), so no "
                "read can be made to come after a write, and references can't be kept on it."
            )


class Store:
    """One service's database."""

    def __init__(
        self,
        client: StoreClient,
        database: "AsyncIOMotorDatabase[dict[str, Any]]",
        *,
        embedded: bool = False,
        call_timeout_s: float,
    ) -> None:
        self.client = client
        self.name = database.name
        self._database = database
        self._embedded = embedded
        self._call_timeout_s = call_timeout_s
        self._collections: dict[type[Any], Collection[Any]] = {}

    async def prepare(self, documents: "Sequence[type[Stored]]", *, build_indexes: bool = True) -> None:
        """Bind the documents to Beanie and, unless a deploy step does it, build their indexes."""
        await init_beanie(database=self._database, document_models=list(documents), skip_indexes=True)
        if build_indexes:
            await asyncio.gather(*(self._build_indexes(one) for one in documents))

    async def _build_indexes(self, document_type: "type[Stored]") -> None:
        """The embedded store can't look into a list by an index, so the sparse ones of intents would only cost."""
        wanted = [one for one in document_type.declared_indexes() if not (self._embedded and is_sparse(one))]
        if not wanted:
            return
        try:
            await self._database[document_type.collection_name()].create_indexes(wanted)
        except PyMongoError as error:
            raise translated(error, document_type.collection_name()) from error

    def collection(self, document_type: type[D]) -> Collection[D]:
        known = self._collections.get(document_type)
        if known is None:
            known = Collection(document_type, self.rows(document_type.collection_name()))
            self._collections[document_type] = known
        return known

    def rows(self, name: str) -> Rows:
        """A collection by its name, as plain rows with intents and hidden fields; for kit only."""
        return Rows(self._database[name], timeout_s=self._call_timeout_s, embedded=self._embedded)

    @asynccontextmanager
    async def session(self, after: Moment | None = None, *, fenced: bool = False) -> AsyncIterator[Session | None]:
        """`fenced`: begun with a majority write of its own, so that a deposed primary can't answer its reads."""
        async with self.client.session(after) as session:
            if fenced and session is not None:
                await self._fence(session)
            yield session

    async def _fence(self, session: Session) -> None:
        fence, raised = {"_id": "fence"}, {"$inc": {"count": 1}}
        try:
            await self.rows(FENCES).update_one(fence, raised, upsert=True, session=session)
        except DuplicateKey:  # the very first of a database, beside another
            await self.rows(FENCES).update_one(fence, raised, session=session)

    async def ping(self) -> bool:
        try:
            async with asyncio.timeout(self._call_timeout_s):
                await self._database.command("ping")
        except (PyMongoError, TimeoutError):
            return False
        return True
