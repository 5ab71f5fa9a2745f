"""docker-compose.yml against the schema of the compose specification, and against our own rules for it."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml

SCHEMA = Path(__file__).parents[1] / "schema" / "compose-spec.json"
PUBLIC = "gateway"
SECRET = re.compile(r"KEY|PASSWORD|PEPPER|SECRET|TOKEN")
REQUIRED_VARIABLES = re.compile(r"^(?:[a-z]+=)?\$\{[A-Z_]+:\?[^}]+\}(?: [a-z]+=\$\{[A-Z_]+:\?[^}]+\})*$")
PINNED_TAG = re.compile(r":v?\d+(\.\d+)+")


def check_compose(root: Path) -> list[str]:
    document = yaml.safe_load((root / "docker-compose.yml").read_text())
    faults = schema_faults(document) or rule_faults(document)
    for name, service in document["services"].items():
        if "build" in service:
            faults += dockerfile_faults(name, (root / service["build"]["dockerfile"]).read_text())
    return [f"docker-compose.yml: {fault}" for fault in faults]


def schema_faults(document: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    errors = sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.absolute_path)))
    return [f"{'.'.join(map(str, error.absolute_path)) or 'document'}: {error.message}" for error in errors]


def rule_faults(document: dict[str, Any]) -> list[str]:
    """What the schema cannot know: who is reachable, whose images, where secrets come from."""
    faults = []
    for name, service in document["services"].items():
        if service.get("ports") and name != PUBLIC:
            faults.append(f"{name} publishes a port; only the {PUBLIC} may")
        if "restart" not in service:
            faults.append(f"{name} has no restart policy")
        if not PINNED_TAG.search(service.get("image", "")):
            faults.append(f"{name}'s image is not pinned by a version tag")
        if "build" not in service and "healthcheck" not in service:
            faults.append(f"{name} has no health check")
        for variable, value in (service.get("environment") or {}).items():
            if SECRET.search(variable) and not REQUIRED_VARIABLES.match(str(value)):
                faults.append(f"{name}'s {variable} does not come from the environment as ${{NAME:?message}}")
    return faults


def dockerfile_faults(name: str, text: str) -> list[str]:
    """An image of ours does not run as root, checks its health, and installs with hashes from a pinned base."""
    faults = []
    users = re.findall(r"^USER\s+(\S+)", text, re.MULTILINE)
    if not users or users[-1].split(":")[0] in {"root", "0"}:
        faults.append(f"{name}'s image runs as root")
    if not re.search(r"^HEALTHCHECK\s", text, re.MULTILINE):
        faults.append(f"{name}'s image has no health check")
    if "--require-hashes" not in text:
        faults.append(f"{name}'s image installs without hashes")
    bases = re.findall(r"^ARG BASE=(\S+)", text, re.MULTILINE) + re.findall(r"^FROM\s+([^$\s]\S*)", text, re.MULTILINE)
    faults += [
        f"{name}'s base image {base} is not pinned by a version tag" for base in bases if not PINNED_TAG.search(base)
    ]
    return faults
