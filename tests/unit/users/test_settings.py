"""Settings that can't be served with are refused, naming the setting and never its value."""

import secrets
from pathlib import Path

import pytest

from kit.settings import SettingsRefused
from users.settings import load

PRODUCTION = {
    "ENVIRONMENT": "production",
    "GATEWAY_KEYS": secrets.token_urlsafe(32),
    "CURSOR_KEY": secrets.token_urlsafe(32),
    "JWT_SIGNING_KEYS": secrets.token_urlsafe(32),
    "EXCHANGE_KEY_PEPPER": secrets.token_urlsafe(32),
}


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*PRODUCTION, "ADMIN_EMAIL", "ADMIN_PASSWORD", "USERS_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    return monkeypatch


def test_development_makes_its_secrets_once(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second = load(), load()
    assert first.signing_seeds == second.signing_seeds
    assert first.exchange_key_pepper == second.exchange_key_pepper
    assert {"JWT_SIGNING_KEYS", "EXCHANGE_KEY_PEPPER"} <= {file.name for file in (tmp_path / "secrets").iterdir()}


def test_port_and_admin_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    assert (load().port, load().admin_email) == (8101, "admin@omnitrade.example")
    environment.setenv("USERS_PORT", "8111")
    environment.setenv("ADMIN_EMAIL", "Root@Example.com")
    assert (load().port, load().admin_email) == (8111, "root@example.com")


def test_production_starts_with_every_secret_given(environment: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        environment.setenv(name, value)
    assert len(load().signing_seeds) == 1


@pytest.mark.parametrize("missing", [name for name in PRODUCTION if name != "ENVIRONMENT"])
def test_production_without_a_secret_is_refused(environment: pytest.MonkeyPatch, missing: str) -> None:
    for name, value in PRODUCTION.items():
        if name != missing:
            environment.setenv(name, value)
    with pytest.raises(SettingsRefused, match=missing):
        load()


def test_production_refuses_what_was_made_for_development(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    load()
    made = (tmp_path / "secrets" / "JWT_SIGNING_KEYS").read_text().strip()
    for name, value in {**PRODUCTION, "JWT_SIGNING_KEYS": made}.items():
        environment.setenv(name, value)
    with pytest.raises(SettingsRefused, match="JWT_SIGNING_KEYS") as caught:
        load()
    assert made not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWT_SIGNING_KEYS", "not-a-seed"),
        ("ADMIN_EMAIL", "nobody"),
        ("ADMIN_PASSWORD", "qwertyuiop"),
        ("ARGON2_MEMORY_KIB", "1024"),
        ("ARGON2_ITERATIONS", "1"),
        ("ARGON2_RUNNING_MAX", "0"),
        ("SESSIONS_PER_USER_MAX", "0"),
        ("REFRESH_IDLE_DAYS_MAX", "0"),
    ],
)
def test_setting_out_of_its_bounds_is_refused_by_name(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsRefused, match=name) as caught:
        load()
    if name.endswith(("KEYS", "PASSWORD")):
        assert value not in str(caught.value)
