"""The choice of a store: MONGODB_URL, else a mongod on the PATH as a one-node replica set, else the embedded store."""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from deploy.local.plan import ProcessPlan, Stage, StorePlan
from deploy.local.settings import LocalSettings
from kit.store.administration import answers, initiate_replica_set

REPLICA_SET = "omnitrade"
CACHE_GIB = "0.25"
ANSWER_S = 10.0
START_S = 30.0


class StoreUnusableError(Exception):
    """The store cannot be used; the message says which setting names it."""


def choose_store(settings: LocalSettings) -> StorePlan:
    """Prepare the folders of a store of our own and say how it is started."""
    if settings.mongodb_url:
        return StorePlan(url=settings.mongodb_url, description="MONGODB_URL")
    mongod = None if settings.store_kind == "embedded" else shutil.which("mongod")
    if settings.store_kind == "mongod" and not mongod:
        raise StoreUnusableError("STORE_KIND asks for mongod, and there is none on the PATH")
    return _mongod(settings, mongod) if mongod else _embedded(settings)


async def prepare_store(store: StorePlan) -> None:
    """Make a store that takes connections usable: a new replica set is initiated, somebody else's store must answer."""
    if store.replica_set and store.process:
        try:
            await initiate_replica_set(store.process.address, store.replica_set, START_S)
        except TimeoutError as error:
            raise StoreUnusableError(str(error)) from error
    elif store.process is None and not await answers(store.url, ANSWER_S):
        raise StoreUnusableError("the store that MONGODB_URL names does not answer")


def _mongod(settings: LocalSettings, program: str) -> StorePlan:
    folder = _folder(settings, "mongod")
    port = settings.store_port
    argv = (
        program,
        *("--replSet", REPLICA_SET),
        *("--dbpath", str(folder)),
        *("--bind_ip", "127.0.0.1"),
        *("--port", str(port)),
        *("--wiredTigerCacheSizeGB", CACHE_GIB),
        "--quiet",
    )
    return StorePlan(
        url=f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}",
        description=f"mongod ({program}), data in {folder}",
        process=_process(settings, argv),
        replica_set=REPLICA_SET,
    )


def _embedded(settings: LocalSettings) -> StorePlan:
    folder = _folder(settings, "store")
    logs = _folder(settings, "logs")
    run = _folder(settings, "run")
    pid_file = run / "store.pid"
    log_file = logs / "store.log"
    log_file.unlink(missing_ok=True)  # it grows without a bound, so each start begins a new one
    argv = (
        str(Path(sys.executable).parent / "nx-27017"),
        *("--data-dir", str(folder)),
        *("--host", "127.0.0.1"),
        *("--port", str(settings.store_port)),
        *("--log-file", str(log_file)),
        *("--pid-file", str(pid_file)),
    )
    return StorePlan(
        url=f"mongodb://127.0.0.1:{settings.store_port}",
        description=f"embedded (NX-27017), data in {_short(folder)}",
        process=replace(_process(settings, argv), pid_file=pid_file, unshown=" - INFO - "),
    )


def _process(settings: LocalSettings, argv: tuple[str, ...]) -> ProcessPlan:
    return ProcessPlan(
        name="store",
        stage=Stage.STORE,
        argv=argv,
        host="127.0.0.1",
        port=settings.store_port,
        port_setting="STORE_PORT",
    )


def _folder(settings: LocalSettings, name: str) -> Path:
    folder = settings.data_folder / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _short(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
