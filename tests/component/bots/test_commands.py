"""The service's command line, as far as it needs no store."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bots.__main__ import cli

runner = CliRunner()


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("STORE_PORT", "1")
    monkeypatch.setenv("STORE_WAIT_S", "0")


def import_file(tmp_path: Path, content: str) -> Any:
    file = tmp_path / "markets.json"
    file.write_text(content)
    return runner.invoke(cli, ["import-markets", str(file)])


def test_openapi_document_is_printed_without_a_store() -> None:
    printed = runner.invoke(cli, ["--openapi"])
    assert printed.exit_code == 0
    document = json.loads(printed.stdout)
    assert document["x-service"] == "bots"
    assert "/v1/bots/{botId}/performance" in document["paths"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "The body is not JSON"),
        ('{"exchange": "binance", "exchange": "kraken"}', "/exchange: The same key stands twice"),
        ('{"exchange": "Binance", "precisionMode": "TICK_SIZE", "markets": {}}', "/exchange:"),
        ('{"exchange": "binance", "markets": {}}', "/precisionMode: Field required"),
    ],
)
def test_file_that_is_no_import_is_refused_before_a_store_is_needed(tmp_path: Path, content: str, said: str) -> None:
    refused = import_file(tmp_path, content)
    assert refused.exit_code == 2
    assert said in refused.stderr


def test_store_that_does_not_answer_is_said(tmp_path: Path) -> None:
    refused = import_file(tmp_path, '{"exchange": "binance", "precisionMode": "TICK_SIZE", "markets": {}}')
    assert refused.exit_code == 2
    assert "store" in refused.stderr


def test_setting_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPIRED_PAIRS_INTERVAL_S", "never")
    refused = runner.invoke(cli, ["--openapi"])
    assert refused.exit_code == 2
    assert "EXPIRED_PAIRS_INTERVAL_S" in refused.stderr
