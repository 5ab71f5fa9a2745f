"""The platform as processes of this machine: `python -m deploy.local up|status`, from the repository's root."""

import sys
from typing import NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from deploy.local.lock import AlreadyRunningError
from deploy.local.plan import PlanError
from deploy.local.ports import PortsBusyError
from deploy.local.settings import LocalSettings
from deploy.local.status import show_status
from deploy.local.stores import StoreUnusableError
from deploy.local.supervisor import StartError
from deploy.local.up import up as run_platform

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)


@app.command()
def up() -> None:
    """Start the store, the services and the gateway; follow their logs; stop them on Ctrl-C."""
    console = Console(highlight=False)
    settings = _settings()
    try:
        run_platform(settings, console)
    except AlreadyRunningError as error:
        state = error.state
        where = state.addresses.get("gateway", settings.gateway_url) if state else settings.gateway_url
        who = f"by process {state.pid}, started {state.started_at}" if state else "by another process"
        _fail(
            f"OmniTrade already runs on {settings.data_folder} ({who}), gateway {where}.\n"
            "Stop it with Ctrl-C there"
            + (f" or `kill {state.pid}`" if state else "")
            + ", or give this one a DATA_DIR and ports of its own."
        )
    except (PortsBusyError, PlanError, StartError, StoreUnusableError) as error:
        _fail(str(error))


@app.command()
def status() -> None:
    """Say what runs here; exit status 3 if nothing does, 1 if a part of it is not ready."""
    sys.exit(show_status(_settings(), Console(highlight=False)))


def _settings() -> LocalSettings:
    try:
        return LocalSettings()
    except ValidationError as error:
        _fail("\n".join(f"{str(problem['loc'][0]).upper()}: {problem['msg']}" for problem in error.errors()))


def _fail(message: str) -> NoReturn:
    Console(stderr=True, highlight=False).print(message, style="bold red", markup=False, soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    app()
