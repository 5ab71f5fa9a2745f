"""Free ports for a platform with replicas."""

import socket

import pytest

from deploy.local import ports
from deploy.local.ports import PortsBusyError, free_ports_for
from deploy.local.settings import REPLICA_PORT_STEP


def test_no_two_replicas_share_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn from so few that most draws would."""
    monkeypatch.setattr(ports, "FREE_PORTS", range(20_000, 20_080))
    monkeypatch.setattr(ports, "FREE_TRIES_MAX", 80)
    monkeypatch.setattr(ports, "is_busy", lambda host, port: False)
    for _ in range(50):
        first = free_ports_for({"gateway": 3, "bots": 3, "store": 1})
        taken = [first[name] + REPLICA_PORT_STEP * number for name in ("gateway", "bots") for number in range(3)]
        assert len({*taken, first["store"]}) == 7


def test_port_of_a_later_replica_on_which_somebody_listens_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        taken = somebody.getsockname()[1]
        monkeypatch.setattr(ports, "FREE_PORTS", range(taken - REPLICA_PORT_STEP, taken - REPLICA_PORT_STEP + 1))
        monkeypatch.setattr(ports, "FREE_TRIES_MAX", 1)
        with pytest.raises(PortsBusyError, match="fewer than 2 are free"):
            free_ports_for({"bots": 2})
