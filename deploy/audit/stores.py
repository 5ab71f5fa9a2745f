"""The store to audit: the one that is given or runs, else the platform's own, started while the audit takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from deploy.local.lock import AlreadyRunningError, hold_lock, running_state
from deploy.local.ports import check_ports
from deploy.local.process import Child, until_ready
from deploy.local.settings import LocalSettings
from deploy.local.stores import StoreUnusableError, choose_store, prepare_store
from kit.store.administration import answers

ANSWER_S = 1.0
GIVEN_ANSWER_S = 10.0
START_S = 30.0
STOP_S = 5.0
EMBEDDED, MONGOD = "store", "mongod"
"""The folders that the stores of `make up` keep below DATA_DIR."""


@dataclass(frozen=True)
class ReachableStore:
    """`is_live`: others may be writing to it."""

    url: str
    is_live: bool


@asynccontextmanager
async def reachable_store(settings: LocalSettings) -> AsyncIterator[ReachableStore]:
    """A store that answers. Raises StoreUnusableError if there is none to be had: none is made, or an audit of nothing
    would find nothing wrong."""
    if settings.mongodb_url:
        if not await answers(settings.mongodb_url, GIVEN_ANSWER_S):
            raise StoreUnusableError("the store that MONGODB_URL names does not answer")
        yield ReachableStore(settings.mongodb_url, is_live=True)
        return
    url = _running_store(settings)
    if await answers(url, ANSWER_S):
        yield ReachableStore(url, is_live=True)
        return
    if running_state(settings.data_folder) is None:
        _check_data(settings, EMBEDDED, MONGOD)
    try:
        with hold_lock(settings.data_folder):
            async with _own_store(settings) as own_url:
                yield ReachableStore(own_url, is_live=False)
    except AlreadyRunningError:
        raise StoreUnusableError(
            "the platform that runs here has its store elsewhere: give MONGODB_URL here too"
        ) from None


def _running_store(settings: LocalSettings) -> str:
    """Where the store of the platform on this data folder listens, or would listen."""
    state = running_state(settings.data_folder)
    address = state.addresses.get("store") if state else None
    return f"mongodb://{address or f'127.0.0.1:{settings.store_port}'}"


def _check_data(settings: LocalSettings, *folders: str) -> None:
    if not any(any((settings.data_folder / one).glob("*")) for one in folders):
        where = " or ".join(str(settings.data_folder / one) for one in folders)
        raise StoreUnusableError(
            f"no store answers at 127.0.0.1:{settings.store_port} (STORE_PORT), and there is no data in {where}: name "
            "the store in MONGODB_URL, or the platform's folder in DATA_DIR"
        )


@asynccontextmanager
async def _own_store(settings: LocalSettings) -> AsyncIterator[str]:
    store = choose_store(settings)
    if store.process is None:
        raise StoreUnusableError("there is no store to start")
    _check_data(settings, MONGOD if store.replica_set else EMBEDDED)
    check_ports([store.process], settings.bind_host)
    said: list[str] = []
    child = Child(store.process, lambda _, line: said.append(line))
    await child.start()
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(START_S):
            if not await until_ready(child, session):
                raise StoreUnusableError("\n".join(["the store ended before it was ready:", *said[-10:]]))
        await prepare_store(store)
        yield store.url
    finally:
        await child.stop(STOP_S)
