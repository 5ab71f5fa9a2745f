"""A process dies at the step that its environment names, in tests only."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gateway.settings import GatewaySettings
from kit import fault_points
from kit.settings import ServiceSettings, SettingsRefused

GOOD = "g" * 40
SETTINGS = (ServiceSettings, GatewaySettings)
SCRIPT = """
from kit import fault_points
fault_points.configure({spec!r})
for time in range(1, 6):
    print(time, flush=True)
    fault_points.reached("close:voided")
    fault_points.reached("close:written")
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in {*ServiceSettings.model_fields, *GatewaySettings.model_fields}:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("GATEWAY_KEYS", f"users={GOOD} bots={GOOD} staking={GOOD}")
    monkeypatch.setenv("CURSOR_KEY", GOOD)
    yield
    fault_points.configure(None)


def lived_for(spec: str | None) -> tuple[int, int]:
    """How a process with this fault point ended, and the time at which it was last heard of."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(spec=spec)], capture_output=True, text=True, timeout=30, check=False
    )
    return ended.returncode, int(ended.stdout.split()[-1])


def test_process_kills_itself_at_the_named_step() -> None:
    assert lived_for("close:written") == (-signal.SIGKILL, 1)


def test_process_kills_itself_at_the_nth_time() -> None:
    assert lived_for("close:written:3") == (-signal.SIGKILL, 3)


@pytest.mark.parametrize("spec", [None, "purge:done", "close:written:6"])
def test_process_lives_on_without_reaching_it(spec: str | None) -> None:
    assert lived_for(spec) == (0, 5)


@pytest.mark.parametrize(
    "spec", ["purge", "close:written:0", "coordinator:nothing", "users:begin", ":1", "close:written:-1"]
)
def test_unknown_step_is_refused_and_the_known_ones_are_named(spec: str) -> None:
    with pytest.raises(fault_points.UnknownFaultPoint, match="close:written, "):
        fault_points.configure(spec)


@pytest.mark.parametrize("settings", SETTINGS)
def test_start_with_an_unknown_step_is_refused(
    settings: type[ServiceSettings] | type[GatewaySettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULT_POINT", "nowhere")
    with pytest.raises(SettingsRefused, match=r"FAULT_POINT.*no fault point"):
        settings.load()


@pytest.mark.parametrize("settings", SETTINGS)
def test_production_does_not_start_with_one(
    settings: type[ServiceSettings] | type[GatewaySettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert settings.load().fault_point is None
    monkeypatch.setenv("FAULT_POINT", "close:written")
    with pytest.raises(SettingsRefused, match=r"FAULT_POINT.*production"):
        settings.load()


def test_development_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULT_POINT", "coordinator:purge:2")
    assert [settings.load().fault_point for settings in SETTINGS] == ["coordinator:purge:2"] * 2
