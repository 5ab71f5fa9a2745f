from pathlib import Path
from typing import Annotated, ClassVar

import pytest
from pydantic import Field, SecretStr, ValidationError

from kit.settings import SecretSetting, ServiceSettings, SettingsRefused

GOOD = "g" * 40


class NotesSettings(ServiceSettings):
    service: ClassVar[str] = "notes"

    port: int = Field(default=8109, ge=0, le=65535, validation_alias="NOTES_PORT")
    pepper: Annotated[SecretStr, SecretSetting(make=lambda: "made here")]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in NotesSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    return monkeypatch


def test_nothing_has_to_be_set_in_development(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = NotesSettings.load()
    assert (settings.environment, settings.port, settings.bind_host) == ("development", 8109, "127.0.0.1")
    assert settings.store_url == "mongodb://127.0.0.1:27117"
    assert settings.database_name == "omnitrade_notes"
    assert settings.pepper.get_secret_value() == "made here"
    assert sorted(path.name for path in (tmp_path / "secrets").iterdir()) == [
        "CURSOR_KEY",
        "GATEWAY_KEYS_notes",
        "PEPPER",
    ]


def test_environment_is_read_without_a_prefix(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("NOTES_PORT", "9000")
    environment.setenv("MONGODB_URL", "mongodb://db/?replicaSet=rs")
    environment.setenv("DATABASE_PREFIX", "trial")
    environment.setenv("GATEWAY_KEYS", "k1, k2")
    settings = NotesSettings.load()
    assert (settings.port, settings.store_url) == (9000, "mongodb://db/?replicaSet=rs")
    assert settings.database_name == "trial_notes"
    assert settings.gateway_key_list == (b"k1", b"k2")


def test_empty_setting_is_as_good_as_none(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MONGODB_URL", "")
    environment.setenv("NOTES_PORT", "")
    settings = NotesSettings.load()
    assert (settings.mongodb_url, settings.port) == (None, 8109)


def test_second_start_finds_the_same_secrets(environment: pytest.MonkeyPatch) -> None:
    assert NotesSettings.load() == NotesSettings.load()


@pytest.mark.parametrize("missing", ["GATEWAY_KEYS", "CURSOR_KEY", "PEPPER"])
def test_production_does_not_start_without_a_secret(environment: pytest.MonkeyPatch, missing: str) -> None:
    environment.setenv("ENVIRONMENT", "production")
    for name in {"GATEWAY_KEYS", "CURSOR_KEY", "PEPPER"} - {missing}:
        environment.setenv(name, GOOD)
    with pytest.raises(SettingsRefused, match=missing):
        NotesSettings.load()
    environment.setenv(missing, GOOD)
    assert NotesSettings.load().environment == "production"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOTES_PORT", "http"),
        ("NOTES_PORT", "70000"),
        ("ENVIRONMENT", "staging"),
        ("DATABASE_PREFIX", "Robert'); DROP"),
        ("BODY_BYTES_MAX", "1"),
        ("REQUEST_TIMEOUT_S", "-1"),
    ],
)
def test_bad_setting_is_refused_by_its_name(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsRefused, match=name):
        NotesSettings.load()


def test_settings_do_not_change_and_do_not_show_secrets(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GATEWAY_KEYS", "hunter2-hunter2")
    environment.setenv("MONGODB_URL", "mongodb://user:hunter2@db")
    settings = NotesSettings.load()
    assert "hunter2" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]  # what is refused
