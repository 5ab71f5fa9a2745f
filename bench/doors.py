"""The ways to one upstream that are compared: our gateway, nginx, and the usual gateway of FastAPI and httpx."""

import sys
from contextlib import AbstractContextManager

from bench.load import tool
from bench.rivals.nginx import configure
from bench.run import Run
from bench.servers import Server, free_port, serving


def nginx(run: Run, upstream_port: int, ready: str) -> AbstractContextManager[Server]:
    """nginx with one worker before a port of this machine."""
    port = free_port()
    folder = run.folder / f"nginx-{port}"
    folder.mkdir(parents=True)
    command = [tool("nginx"), "-p", str(folder), "-c", str(configure(folder, port, upstream_port))]
    return serving(command, f"http://127.0.0.1:{port}", ready=ready)


def passthrough(upstream_port: int, ready: str) -> AbstractContextManager[Server]:
    """FastAPI and httpx before a port of this machine."""
    port = free_port()
    command = [sys.executable, "-m", "bench.rivals.passthrough", str(port), f"http://127.0.0.1:{upstream_port}"]
    return serving(command, f"http://127.0.0.1:{port}", ready=ready)


def constant(ready: str) -> AbstractContextManager[Server]:
    """The upstream that answers a constant."""
    port = free_port()
    return serving([sys.executable, "-m", "bench.rivals.constant", str(port)], f"http://127.0.0.1:{port}", ready=ready)


def gateway(run: Run, upstream_port: int, ready: str) -> AbstractContextManager[Server]:
    """Our gateway before one service, which also stands for the one that issues tokens."""
    port = free_port()
    environment = {
        "GATEWAY_PORT": str(port),
        "SERVICES": f"bots=http://127.0.0.1:{upstream_port}",
        "IDENTITY_SERVICE": "bots",
        "DATA_DIR": str(run.folder / "gateway"),
        "LOG_LEVEL": "warning",
    }
    return serving([sys.executable, "-m", "gateway"], f"http://127.0.0.1:{port}", ready=ready, environment=environment)
