"""The services' OpenAPI documents, as each prints its own without a store."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from typing import Any

from deploy.local.background import inherited_environment
from deploy.local.plan import SERVICES

PRINT_S = 60.0


@cache
def openapi_documents() -> Mapping[str, dict[str, Any]]:
    """By service, in the order of SERVICES."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**inherited_environment(), "DATA_DIR": folder}
        started = {
            name: subprocess.Popen([sys.executable, "-m", name, "--openapi"], env=environment, stdout=subprocess.PIPE)
            for name in SERVICES
        }
        printed = {name: process.communicate(timeout=PRINT_S)[0] for name, process in started.items()}
    failed = [name for name, process in started.items() if process.returncode]
    if failed:
        raise RuntimeError(f"no OpenAPI document from {', '.join(failed)}")
    return {name: json.loads(text) for name, text in printed.items()}


def owners(documents: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """The service of every entity."""
    return {entity: service for service, document in documents.items() for entity in document["x-entities"]}
