"""The services' OpenAPI documents, made in this process from their code alone: no store, no server, no secret."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

from deploy.local.background import inherited_environment
from deploy.local.plan import SERVICES


@cache
def openapi_documents() -> Mapping[str, dict[str, Any]]:
    """By service, in the order of SERVICES."""
    with tempfile.TemporaryDirectory() as folder, _environment({**inherited_environment(), "DATA_DIR": folder}):
        return {name: _document(name) for name in SERVICES}


def _document(name: str) -> dict[str, Any]:
    settings = import_module(f"{name}.settings").load()
    document: dict[str, Any] = import_module(f"{name}.app").create_app(settings).openapi()
    return document


def owners(documents: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """The service of every entity."""
    return {entity: service for service, document in documents.items() for entity in document["x-entities"]}


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Settings are read from the environment; it is as before afterwards."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
