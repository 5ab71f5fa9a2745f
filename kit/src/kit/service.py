"""Builds a service: `create_app` of each service is one call of `build_service`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI

from kit.clock import Clock
from kit.documents import Stored
from kit.runtime import Runtime
from kit.settings import ServiceSettings
from kit.store import StoreClient
from kit.workers import Worker

__all__ = ["Runtime", "build_service", "run"]

Workers = Callable[[Runtime], Sequence[Worker]]
OnStart = Callable[[FastAPI, Runtime], AbstractAsyncContextManager[None]]


def build_service(
    *,
    name: str,
    version: str,
    settings: ServiceSettings,
    documents: Sequence[type[Stored]],
    routers: Sequence[APIRouter],
    client: StoreClient | None = None,
    clock: Clock | None = None,
    workers: Workers | None = None,
    on_start: OnStart | None = None,
    planners: Mapping[str, Any] | None = None,
    description: str = "",
    tags: Sequence[dict[str, Any]] = (),
) -> FastAPI:
    """The app. Nothing happens before its lifespan starts, but for checking the declarations."""
    raise NotImplementedError


def run(app_factory_import: str, settings: ServiceSettings) -> None:
    """Serves until SIGTERM or SIGINT; `app_factory_import` is "package.app:make"."""
    raise NotImplementedError
