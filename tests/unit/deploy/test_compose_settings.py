"""What docker-compose.yml hands to each process lets it start in production, and hands it no more secrets than that."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.secrets import fresh_secrets
from kit.settings import SettingsRefused

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::([?-])([^}]*))?\}")
PROCESSES = ("users", "bots", "staking", "gateway")


def resolved(text: str, values: dict[str, str]) -> str:
    """As compose does it: the value, else the default."""
    return VARIABLE.sub(lambda found: values.get(found[1]) or (found[3] if found[2] == "-" else ""), text)


def environment(name: str, values: dict[str, str]) -> dict[str, str]:
    said = COMPOSE["services"][name]["environment"]
    return {variable: resolved(str(value), values) for variable, value in said.items()}


def load(name: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> Any:
    for variable in ("DATA_DIR", "GATEWAY_KEYS", "CURSOR_KEY", "ADMIN_PASSWORD", "JWT_SIGNING_KEYS", "SERVICES"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in {**given, "DATA_DIR": str(folder)}.items():
        monkeypatch.setenv(variable, value)
    module = import_module(f"{name}.settings")
    return module.GatewaySettings.load() if name == "gateway" else module.load()


@pytest.mark.parametrize("name", PROCESSES)
def test_fresh_secrets_let_every_process_start_in_production(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = load(name, environment(name, fresh_secrets()), monkeypatch, tmp_path)
    assert settings.environment == "production"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", PROCESSES)
def test_no_process_starts_in_production_without_its_gateway_keys(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {
        variable: value for variable, value in environment(name, fresh_secrets()).items() if variable != "GATEWAY_KEYS"
    }
    with pytest.raises(SettingsRefused, match="GATEWAY_KEYS"):
        load(name, given, monkeypatch, tmp_path)


def test_gateway_signs_with_the_key_that_each_service_verifies() -> None:
    values = fresh_secrets()
    signing = dict(entry.split("=", 1) for entry in environment("gateway", values)["GATEWAY_KEYS"].split())
    verifying = {name: environment(name, values)["GATEWAY_KEYS"] for name in ("users", "bots", "staking")}
    assert signing == verifying
    assert len(set(signing.values())) == 3


def test_secrets_are_new_every_time() -> None:
    first, second = fresh_secrets(), fresh_secrets()
    assert {name for name in first if first[name] == second[name]} == {"ADMIN_EMAIL"}
