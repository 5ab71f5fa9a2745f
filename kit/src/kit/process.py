"""A service as a process."""

import gc
import importlib
import sys

import uvicorn

from kit import fault_points
from kit.logs import configure_logging
from kit.settings import ServiceSettings

KEEP_ALIVE_S = 75  # longer than a client keeps an idle connection, so that it is the client who closes
BACKLOG = 1024


def run(app_factory_import: str, settings: ServiceSettings) -> None:
    """Serves until SIGTERM or SIGINT: stops listening, finishes what runs (`shutdown_timeout_s` at most), closes.

    `app_factory_import` names a function without arguments, such as "users.app:make". Ends the process with status 3 if
    the app cannot start.
    """
    configure_logging(settings.service, level=settings.log_level, style=settings.log_format)
    fault_points.configure(settings.fault_point)
    module, _, name = app_factory_import.partition(":")
    app = getattr(importlib.import_module(module), name)()
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
