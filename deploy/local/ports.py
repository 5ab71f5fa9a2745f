"""Ports: which are taken, and which are free for a platform beside another one."""

import errno
import secrets
import socket
import time
from collections.abc import Mapping, Sequence

from deploy.local.plan import ProcessPlan
from deploy.local.settings import REPLICA_PORT_STEP

PORT_WAIT_S = 3.0
PORT_POLL_S = 0.1
# Below the range from which systems give ports to outgoing connections, so that none of those takes one in between.
FREE_PORTS = range(20_000, 32_000)
FREE_TRIES_MAX = 500
_random = secrets.SystemRandom()


class PortsBusyError(Exception):
    """Something else listens where a process should; the message names the ports and their settings."""


def is_busy(host: str, port: int) -> bool:
    """Whether a server could not listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return True
            raise
    return False


def check_ports(plans: Sequence[ProcessPlan], bind_host: str) -> None:
    """Refuse busy ports, after a moment in which the processes of a killed supervisor may still be going."""
    _check_distinct(plans)
    deadline = time.monotonic() + PORT_WAIT_S
    while busy := [plan for plan in plans if is_busy(bind_host if plan.ready_path else plan.host, plan.port)]:
        if time.monotonic() >= deadline:
            lines = [
                f"port {plan.port} for {plan.name} is taken: stop what listens there, or set {plan.port_setting}"
                for plan in busy
            ]
            raise PortsBusyError("\n".join(lines))
        time.sleep(PORT_POLL_S)


def _check_distinct(plans: Sequence[ProcessPlan]) -> None:
    owners: dict[int, ProcessPlan] = {}
    for plan in plans:
        other = owners.setdefault(plan.port, plan)
        if other is not plan:
            raise PortsBusyError(
                f"{other.name} and {plan.name} would both listen on port {plan.port}: set {plan.port_setting}"
            )


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Distinct ports on which nothing listens at this moment."""
    return list(free_ports_for({str(number): 1 for number in range(count)}, host).values())


def free_ports_for(replicas: Mapping[str, int], host: str = "127.0.0.1") -> dict[str, int]:
    """For each name the first of its replicas' ports: all of them are free at this moment, and nobody else's."""
    taken: set[int] = set()
    first: dict[str, int] = {}
    candidates = iter(_random.sample(FREE_PORTS, FREE_TRIES_MAX))
    for name, count in replicas.items():
        for start in candidates:
            wanted = {start + REPLICA_PORT_STEP * number for number in range(count)}
            if not taken & wanted and not any(is_busy(host, port) for port in wanted):
                taken |= wanted
                first[name] = start
                break
        else:
            raise PortsBusyError(f"of {FREE_TRIES_MAX} ports tried fewer than {sum(replicas.values())} are free")
    return first
