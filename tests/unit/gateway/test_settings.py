"""Settings come from the environment; wrong ones are named, and never shown."""

from pathlib import Path
from typing import Any

import pytest

from gateway.__main__ import main
from gateway.client import Address
from gateway.settings import GatewaySettings, parse_keys, parse_services
from kit.settings import SettingsRefused

KEY = "a-key-of-at-least-thirty-two-characters"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: Any, tmp_path: Path) -> None:
    for name in GatewaySettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))


def test_services_are_names_with_one_address_or_several() -> None:
    assert parse_services(" users=http://a:1  bots=http://b:2,https://[::1]:3/,http://c ") == {
        "users": (Address("a", 1, tls=False),),
        "bots": (Address("b", 2, tls=False), Address("::1", 3, tls=True), Address("c", 80, tls=False)),
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("users", "name=address"),
        ("users=", "name=address"),
        ("=http://a:1", "name=address"),
        ("us/ers=http://a:1", "name=address"),
        ("users=a:1", "scheme"),
        ("users=ftp://a:1", "scheme"),
        ("users=http://a:1/path", "not an address"),
        ("users=http://me:pw@a:1", "not an address"),
        ("users=http://a:99999", "[Pp]ort"),
        ("users=,", "one to"),
        ("users=http://a:1 users=http://b:1", "twice"),
        ("users=dns+http://a:1", "dns"),
        (" ".join(f"s{number}=http://a:1" for number in range(40)), "at most"),
    ],
)
def test_services_that_are_malformed_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_services(text)


def test_keys_are_by_service_and_the_first_signs(monkeypatch: Any) -> None:
    assert parse_keys("users=k1=,k2 bots=k3") == {"users": ("k1=", "k2"), "bots": ("k3",)}
    monkeypatch.setenv("GATEWAY_KEYS", "users=k1,k2 bots=k3 staking=k4 other=k5")
    assert GatewaySettings.load().signing_keys() == {"users": b"k1", "bots": b"k3", "staking": b"k4"}


@pytest.mark.parametrize("text", ["users", "users=", "=k", "users=,"])
def test_keys_that_are_malformed_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="form"):
        parse_keys(text)


def test_development_key_is_the_file_that_the_service_reads_too(tmp_path: Path) -> None:
    keys = GatewaySettings.load().signing_keys()
    assert set(keys) == {"users", "bots", "staking"}
    for name, key in keys.items():
        assert (tmp_path / "secrets" / f"GATEWAY_KEYS_{name}").read_bytes().strip() == key


PRODUCTION = {"ENVIRONMENT": "production", "GATEWAY_KEYS": " ".join(f"{n}={KEY}" for n in ("users", "bots", "staking"))}


def test_production_starts_with_keys_of_its_own(monkeypatch: Any) -> None:
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    assert GatewaySettings.load().signing_keys()["users"] == KEY.encode()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SERVICES": "users"}, "SERVICES"),
        ({"SERVICES": "users=dns+http://users:8101"}, "dns+"),
        ({"SERVICES": " "}, "SERVICES"),
        ({"SERVICES": "bots=http://a:1"}, "identity_service"),
        ({"GATEWAY_KEYS": f"users={KEY}"}, "bots, staking"),
        ({"GATEWAY_KEYS": KEY}, "form"),
        ({**PRODUCTION, "GATEWAY_KEYS": ""}, "GATEWAY_KEYS is not set"),
        ({**PRODUCTION, "GATEWAY_KEYS": "users=tiny bots=tiny staking=tiny"}, "GATEWAY_KEYS is shorter"),
        ({**PRODUCTION, "GATEWAY_KEYS": PRODUCTION["GATEWAY_KEYS"].replace("a-key", "development-key")}, "development"),
        ({"GATEWAY_PORT": "99999"}, "GATEWAY_PORT"),
        ({"REQUEST_TIMEOUT_S": "60"}, "REQUEST_TIMEOUT_S"),
        ({"ENVIRONMENT": "staging"}, "ENVIRONMENT"),
        ({"DELETE_WAIT_S": "29"}, "DELETE_WAIT_S"),
        ({"DELETE_SWEEP_INTERVAL_S": "0"}, "DELETE_SWEEP_INTERVAL_S"),
        ({"AUDIT_RECHECK_S": "-1"}, "AUDIT_RECHECK_S"),
        ({"AUDIT_IDLE_S": "soon"}, "AUDIT_IDLE_S"),
        ({"FAULT_POINT": "nowhere"}, "no fault point"),
        ({**PRODUCTION, "FAULT_POINT": "close:written"}, "FAULT_POINT"),
    ],
)
def test_bad_settings_keep_the_gateway_from_starting(
    monkeypatch: Any, capsys: Any, changes: dict[str, str], named: str
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsRefused) as refused:
        GatewaySettings.load()
    assert named in str(refused.value)
    assert main() == 2
    said = capsys.readouterr().err
    assert named in said
    assert KEY not in said
    assert "tiny" not in said
    assert "Traceback" not in said
