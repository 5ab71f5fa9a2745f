"""A service as a process: `python -m <service>` serves, `python -m <service> --openapi` prints its document."""

import gc
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import orjson
import uvicorn

from kit.logs import configure_logging
from kit.settings import ServiceSettings, SettingsRefused

KEEP_ALIVE_S = 75  # longer than a client keeps an idle connection, so that it is the client who closes
BACKLOG = 1024


def run(app_factory_import: str, settings: ServiceSettings) -> None:
    """Serves until SIGTERM or SIGINT: stops listening, finishes what runs (`shutdown_timeout_s` at most), closes.

    `app_factory_import` names a function of the settings, such as "users.app:create_app".
    """
    configure_logging(settings.service, level=settings.log_level, style=settings.log_format)
    app = _factory(app_factory_import)(settings)
    gc.collect()
    gc.freeze()  # what was made at start is there for good: no collection needs to look at it
    config = uvicorn.Config(
        app,
        host=settings.bind_host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_timeout_s)),
    )
    server = uvicorn.Server(config)
    server.run()
    if not server.started:
        sys.exit(3)


def main(app_factory_import: str, load: Callable[[], ServiceSettings], arguments: Sequence[str] | None = None) -> None:
    """The whole of a service's `__main__`. Ends with status 2 for bad settings or arguments, 3 if it cannot start."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given not in ([], ["--openapi"]):
        _complain("usage: python -m <service> [--openapi]")
    try:
        settings = load()
    except SettingsRefused as error:
        _complain(str(error))
    if given:
        document = _factory(app_factory_import)(settings).openapi()
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        return
    run(app_factory_import, settings)


def _factory(app_factory_import: str) -> Callable[[ServiceSettings], Any]:
    module, _, name = app_factory_import.partition(":")
    factory: Callable[[ServiceSettings], Any] = getattr(importlib.import_module(module), name)
    return factory


def _complain(message: str) -> NoReturn:
    sys.stderr.write(message + "\n")
    sys.exit(2)
