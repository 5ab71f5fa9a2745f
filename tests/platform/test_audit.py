"""The audit finds what was planted past the platform, in a store that it starts itself."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from processes import processes_of

from deploy.audit.stores import reachable_store
from deploy.local.background import ROOT, BackgroundPlatform
from deploy.local.settings import LocalSettings

BOT = "01890a5d-ac96-774b-bcce-b302099a8001"
NOBODY = "01890a5d-ac96-774b-bcce-b302099a8002"
AT = datetime(2026, 1, 1, tzinfo=UTC)
AMOUNTS = {"available": 500, "staked": 0, "hasEntries": False, "entryCount": 0, "marks": {}}
BALANCE = {"_id": "b1", "userId": NOBODY, "version": 1, "createdAt": AT, "updatedAt": AT, **AMOUNTS}


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BackgroundPlatform:
    """A platform that does not run, with its environment around this test. Its store has a file, as every one that was
    started once."""
    plan = BackgroundPlatform.plan(tmp_path / "data", STORE_KIND="embedded")
    (plan.data_folder / "store").mkdir(parents=True)
    (plan.data_folder / "store" / "kept").touch()
    monkeypatch.delenv("MONGODB_URL", raising=False)
    for name, value in plan.environment.items():
        monkeypatch.setenv(name, value)
    return plan


async def plant(database: str, collection: str, document: dict[str, Any]) -> None:
    async with reachable_store(LocalSettings()) as store:
        client: Any = AsyncIOMotorClient(store.url)
        await client[database][collection].insert_one(document)
        client.close()


def audited(plan: BackgroundPlatform, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "deploy.audit", *options]
    return subprocess.run(
        command, cwd=ROOT, env=dict(plan.environment), capture_output=True, text=True, timeout=120, check=False
    )


def test_empty_store_is_clean_and_stopped_again(planned: BackgroundPlatform) -> None:
    ended = audited(planned)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert processes_of(planned.data_folder) == {}


def test_audit_where_no_platform_was_is_refused_and_leaves_nothing(tmp_path: Path, planned: BackgroundPlatform) -> None:
    nowhere = tmp_path / "nowhere"
    ended = audited(BackgroundPlatform(nowhere, {**planned.environment, "DATA_DIR": str(nowhere)}))
    assert ended.returncode == 2
    assert "there is no data in" in ended.stderr
    assert "MONGODB_URL" in ended.stderr
    assert not nowhere.exists()


def test_row_without_a_text_id_is_named_and_its_relationships_are_not_called_whole(
    planned: BackgroundPlatform,
) -> None:
    asyncio.run(plant("omnitrade_bots", "trading_bots", {"_id": 7, "userId": NOBODY}))
    shown = audited(planned)
    assert shown.returncode == 1
    assert "trading_bots.userId was not read whole: trading_bots has a row whose _id is no text: 7" in shown.stdout


def test_planted_orphan_is_named_and_fails_the_audit(planned: BackgroundPlatform) -> None:
    asyncio.run(plant("omnitrade_bots", "trading_bots", {"_id": BOT, "userId": NOBODY}))
    shown = audited(planned)
    assert shown.returncode == 1
    assert f"trading_bots.userId: {BOT} names {NOBODY}, absent" in shown.stdout
    report = json.loads(audited(planned, "--json").stdout)
    assert (report["clean"], report["orphanCount"]) == (False, 1)


def test_balance_without_an_entry_fails_the_audit(planned: BackgroundPlatform) -> None:
    asyncio.run(plant("omnitrade_users", "users", {"_id": NOBODY}))
    asyncio.run(plant("omnitrade_staking", "user_token_balances", BALANCE))
    report = json.loads(audited(planned, "--json").stdout)
    assert report["orphanCount"] == 0
    assert report["ledger"]["findings"]


def test_store_that_does_not_answer_is_an_error_of_its_own(planned: BackgroundPlatform) -> None:
    unreachable = BackgroundPlatform(
        planned.data_folder, {**planned.environment, "MONGODB_URL": "mongodb://127.0.0.1:9"}
    )
    ended = audited(unreachable)
    assert ended.returncode == 2
    assert "MONGODB_URL" in ended.stderr


def test_part_without_its_aggregate_and_a_document_stuck_in_deletion_are_named(planned: BackgroundPlatform) -> None:
    asyncio.run(plant("omnitrade_bots", "bot_events", {"_id": "e1", "botId": BOT}))
    deleting = {"_parent": {"state": "deleting", "epoch": 1, "deletion": f"users.{BOT}"}}
    asyncio.run(plant("omnitrade_users", "users", {"_id": NOBODY, **deleting}))
    shown = audited(planned)
    assert shown.returncode == 1
    assert f"bot_events.botId: e1 names {BOT}, absent" in shown.stdout
    assert f"users {NOBODY} stays in deleting" in shown.stdout


def test_relationship_of_a_service_that_is_not_read_here_is_named_and_fails_nothing(
    planned: BackgroundPlatform,
) -> None:
    said = {"relationship": "journals.userId", "parent": "users", "service": "journals", "state": "registered"}
    row = {"_id": "journals.userId|users", "onDelete": "CASCADE", "registeredAt": AT, **said}
    asyncio.run(plant("omnitrade_users", "reference_registry", row))
    shown = audited(planned)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "journals.userId to users is registered by journals, which is not read here" in shown.stdout
