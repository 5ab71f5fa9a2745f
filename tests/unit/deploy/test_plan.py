import sys
from pathlib import Path

import pytest

from deploy.local.plan import PlanError, StorePlan, keys_of, service_addresses, service_plans
from deploy.local.ports import PortsBusyError, check_ports
from deploy.local.settings import LocalSettings
from deploy.local.stores import choose_store

STORE = StorePlan(url="mongodb://127.0.0.1:27117", description="")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*LocalSettings.model_fields, "services"):
        monkeypatch.delenv(name.upper(), raising=False)


def test_replicas_listen_ten_ports_apart_and_the_gateway_knows_all_of_them() -> None:
    settings = LocalSettings(bots_replicas=3)
    assert [plan.port for plan in service_plans(settings, STORE) if plan.name.startswith("bots")] == [8102, 8112, 8122]
    assert service_addresses(settings) == (
        "users=http://127.0.0.1:8101 "
        "bots=http://127.0.0.1:8102,http://127.0.0.1:8112,http://127.0.0.1:8122 "
        "staking=http://127.0.0.1:8103"
    )


def test_each_replica_is_told_its_own_port() -> None:
    plans = service_plans(LocalSettings(users_replicas=2), STORE)
    ports = {plan.name: plan.environment.get("USERS_PORT") for plan in plans}
    assert ports == {"users.1": "8101", "users.2": "8111", "bots": None, "staking": None, "gateway": None}


def test_wildcard_bind_host_is_reached_over_loopback() -> None:
    plans = service_plans(LocalSettings(bind_host="0.0.0.0"), STORE)  # noqa: S104
    assert {plan.host for plan in plans} == {"127.0.0.1"}
    assert {plan.environment["BIND_HOST"] for plan in plans} == {"0.0.0.0"}  # noqa: S104


def test_only_services_learn_where_the_store_is() -> None:
    urls = {plan.name: plan.environment.get("MONGODB_URL") for plan in service_plans(LocalSettings(), STORE)}
    assert urls == {"users": STORE.url, "bots": STORE.url, "staking": STORE.url, "gateway": None}


def test_service_gets_its_own_keys_of_the_gateways() -> None:
    given = "users=k1,k2 bots=k3 staking=k4"
    assert [keys_of(name, given) for name in ("users", "bots", "staking")] == ["k1,k2", "k3", "k4"]


def test_gateway_keys_without_a_service_are_refused_by_name() -> None:
    with pytest.raises(PlanError, match="GATEWAY_KEYS names no key for staking"):
        keys_of("staking", "users=k1 bots=k2")


def test_given_store_is_used_and_none_started(tmp_path: Path) -> None:
    store = choose_store(LocalSettings(mongodb_url="mongodb://db.example", data_dir=tmp_path))
    assert (store.url, store.process) == ("mongodb://db.example", None)


def test_empty_mongodb_url_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MONGODB_URL", "")
    assert LocalSettings(data_dir=tmp_path).mongodb_url is None


def test_mongod_on_the_path_is_preferred_to_the_embedded_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "mongod"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    store = choose_store(LocalSettings(data_dir=tmp_path / "data"))
    assert store.process is not None
    assert store.process.argv[:3] == (str(program), "--replSet", "omnitrade")
    assert store.url == "mongodb://127.0.0.1:27117/?replicaSet=omnitrade"


def test_embedded_store_keeps_all_its_files_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    store = choose_store(LocalSettings(data_dir=tmp_path / "data"))
    assert store.process is not None
    argv = store.process.argv
    assert argv[0] == str(Path(sys.executable).parent / "nx-27017")
    for option in ("--data-dir", "--log-file", "--pid-file"):
        assert Path(argv[argv.index(option) + 1]).is_relative_to(tmp_path / "data")


def test_two_processes_on_one_port_are_refused_by_the_settings_name() -> None:
    plans = service_plans(LocalSettings(bots_port=8101), STORE)
    with pytest.raises(PortsBusyError, match="users and bots would both listen on port 8101: set BOTS_PORT"):
        check_ports(plans, "127.0.0.1")
